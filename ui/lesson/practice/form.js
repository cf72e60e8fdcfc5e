// The settings of a training.

import { make, setAttribute, setText, tested } from "../../shared/dom.js";
import { whole } from "../../shared/numbers.js";

const HIDDEN_CHOICES = [8, 16, 32, 64, 128, 256];
const LR_CHOICES = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2];

/**
 * Create the form with the settings of a training.
 * @param {any} offer what can be chosen
 */
export function practiceForm({ defaults, max_epochs: most, images }) {
  const hidden = stepsOf("practice-hidden", "Hidden units", HIDDEN_CHOICES, defaults.hidden_size);
  const lr = stepsOf("practice-lr", "Learning rate", LR_CHOICES, defaults.lr);
  const epochs = make("input", { type: "number", min: 1, max: most.subset, inputmode: "numeric" });
  const relu = make("input", { type: "checkbox" });
  const data = dataOf(images);
  const [train, stop] = ["Train", "Stop"].map((text) => make("button", { type: "button" }, text));
  epochs.value = defaults.epochs;
  relu.checked = defaults.relu;
  data.select?.addEventListener("change", () => {
    epochs.max = most[data.value()];
    epochs.value = `${Math.min(Number(epochs.value), Number(epochs.max))}`;
  });
  stop.disabled = true;
  const element = make(
    "div",
    { class: "practice-form" },
    hidden.element,
    lr.element,
    make("label", { class: "short" }, "Epochs", tested("practice-epochs", epochs)),
    make("label", { class: "short" }, tested("practice-relu", relu), "ReLU"),
    data.element,
    make(
      "div",
      { class: "buttons" },
      tested("practice-train", train),
      tested("practice-stop", stop),
    ),
  );
  const settings = () => ({
    hidden_size: hidden.value(),
    lr: lr.value(),
    epochs: epochs.value === "" ? null : Number(epochs.value),
    relu: relu.checked,
    data: data.value(),
  });
  const show = ({ running }) => {
    if (!running && document.activeElement === stop) train.focus(); // a disabled button would lose the focus
    stop.disabled = !running;
  };
  const set = (settings) => {
    hidden.set(settings.hidden_size);
    lr.set(settings.lr);
    relu.checked = settings.relu;
    if (data.select) data.select.value = settings.data;
    epochs.max = most[settings.data];
    epochs.value = settings.epochs;
  };
  return { element, train, stop, settings, set, show };
}

// Create a slider over a list of values.
function stepsOf(testid, label, choices, chosen) {
  const all = [...new Set([...choices, chosen])].sort((a, b) => a - b);
  const range = make("input", { type: "range", min: 0, max: all.length - 1, step: 1 });
  const shown = make("b");
  const value = () => all[Number(range.value)];
  const say = () => {
    setText(shown, `${value()}`);
    setAttribute(range, "aria-valuetext", `${value()}`);
  };
  const set = (next) => {
    range.value = `${Math.max(0, all.indexOf(next))}`;
    say();
  };
  range.addEventListener("input", say);
  set(chosen);
  const element = make("label", { class: "slide" }, label, tested(testid, range), shown);
  return { element, value, set };
}

function dataOf(images) {
  const text = {
    subset: `the ${whole(images.subset.train)} images that ship`,
    mnist: `all ${whole(images.mnist?.train ?? 0)} of MNIST`,
  };
  if (!images.mnist) {
    const note = `It trains on ${text.subset}: not all of MNIST is on the server.`;
    const element = tested("practice-data", make("p", { class: "note" }, note));
    return { element, select: null, value: () => "subset" };
  }
  const options = Object.keys(images).map((name) => make("option", { value: name }, text[name]));
  const select = tested("practice-data", make("select", {}, ...options));
  const element = make("label", { class: "short" }, "Images", select);
  return { element, select, value: () => select.value };
}
