// The settings of a training run.

import { make, setAttribute, setText, withTestId } from "../../shared/dom.js";
import { whole } from "../../shared/numbers.js";

const HIDDEN_SIZES = [8, 16, 32, 64, 128, 256];
const LRS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2];

/**
 * Create the form with the settings of a training run, and its buttons.
 * @param {any} offer what can be chosen
 */
export function practiceForm({ defaults, max_epochs: maxEpochs, images }) {
  const hidden = choiceSlider("practice-hidden", "Hidden units", HIDDEN_SIZES);
  const lr = choiceSlider("practice-lr", "Learning rate", LRS);
  const epochs = make("input", { type: "number", min: 1, inputmode: "numeric" });
  const relu = make("input", { type: "checkbox" });
  const data = dataChooser(images);
  const [train, stop] = ["Train", "Stop"].map((text) => make("button", { type: "button" }, text));
  stop.disabled = true;
  const element = make(
    "div",
    { class: "practice-form" },
    hidden.element,
    lr.element,
    make("label", { class: "short" }, "Epochs", withTestId("practice-epochs", epochs)),
    make("label", { class: "short" }, withTestId("practice-relu", relu), "ReLU"),
    data.element,
    make(
      "div",
      { class: "buttons" },
      withTestId("practice-train", train),
      withTestId("practice-stop", stop),
    ),
  );

  function settings() {
    return {
      hidden_size: hidden.value(),
      lr: lr.value(),
      epochs: epochs.value === "" ? null : Number(epochs.value),
      relu: relu.checked,
      data: data.select.value,
    };
  }

  function set(next) {
    hidden.set(next.hidden_size);
    lr.set(next.lr);
    relu.checked = next.relu;
    data.select.value = next.data;
    epochs.max = maxEpochs[next.data];
    epochs.value = next.epochs;
  }

  function show({ running }) {
    if (!running && document.activeElement === stop) train.focus(); // a disabled button would lose the focus
    stop.disabled = !running;
  }

  data.select.addEventListener("change", () => {
    epochs.max = maxEpochs[data.select.value];
    epochs.value = `${Math.min(Number(epochs.value), Number(epochs.max))}`;
  });
  set(defaults);
  return { element, train, stop, settings, set, show };
}

// Create a slider over a list of values.
function choiceSlider(testid, label, choices) {
  const range = make("input", { type: "range", min: 0, max: choices.length - 1, step: 1 });
  const output = make("b");
  const value = () => choices[Number(range.value)];
  const update = () => {
    setText(output, `${value()}`);
    setAttribute(range, "aria-valuetext", value());
  };
  const set = (next) => {
    range.value = `${Math.max(0, choices.indexOf(next))}`;
    update();
  };
  range.addEventListener("input", update);
  const element = make("label", { class: "slide" }, label, withTestId(testid, range), output);
  return { element, value, set };
}

// Create a select, or only a note if all of MNIST is not on the server.
function dataChooser(images) {
  const subset = `the ${whole(images.subset.train)} included images`;
  const select = make("select", {}, make("option", { value: "subset" }, subset));
  if (!images.mnist) {
    const note = `The network trains on ${subset}, because the full MNIST data set is not on this server.`;
    return { select, element: withTestId("practice-data", make("p", { class: "note" }, note)) };
  }
  const all = `all ${whole(images.mnist.train)} of MNIST`;
  select.append(make("option", { value: "mnist" }, all));
  const element = make("label", { class: "short" }, "Images", withTestId("practice-data", select));
  return { select, element };
}
