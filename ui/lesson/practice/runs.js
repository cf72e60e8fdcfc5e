// Table of the visitor's trainings.

import { make, tested } from "../../shared/dom.js";
import { share, whole } from "../../shared/numbers.js";

/**
 * Create the table of the visitor's trainings, one row each.
 * @param {any} images how many images there are of each kind
 */
export function practiceRuns(images) {
  const heads = ["Units", "ReLU", "Rate", "Epochs", "Images", "Accuracy"];
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  const body = make("tbody");
  const table = make("table", {}, make("thead", {}, head), body);
  const about = { class: "scroll", tabindex: 0, role: "region", "aria-label": "Your trainings" };
  const element = make(
    "div",
    { hidden: "" },
    make("h3", {}, "Your trainings"),
    make("div", about, table),
  );
  tested("practice-runs", element);

  function add({ state, settings, epoch, val_accuracy: right }) {
    const { hidden_size: size, relu, lr, data } = settings;
    const epochs = Number.isInteger(epoch) ? epoch : epoch.toFixed(1);
    const reached = state === "failed" ? "failed" : share(right);
    const cells = [size, relu ? "yes" : "no", lr, epochs, whole(images[data].train), reached];
    body.append(make("tr", {}, ...cells.map((cell) => make("td", {}, `${cell}`))));
    element.hidden = false;
  }

  return { element, add };
}
