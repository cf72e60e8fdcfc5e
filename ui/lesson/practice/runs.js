// Table of the visitor's training runs.

import { make, withTestId } from "../../shared/dom.js";
import { epochNumber } from "./words.js";
import { share, whole } from "../../shared/numbers.js";

/**
 * Create the table, with one row per training run.
 * @param {any} images number of images of each data set
 */
export function practiceRuns(images) {
  const heads = ["Units", "ReLU", "Rate", "Epochs", "Images", "Accuracy"];
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  const body = make("tbody");
  const table = make("table", {}, make("thead", {}, head), body);
  const attributes = {
    class: "scroll",
    tabindex: 0,
    role: "region",
    "aria-label": "Your training runs",
  };
  const scroll = make("div", attributes, table);
  const element = make("div", { hidden: "" }, make("h3", {}, "Your training runs"), scroll);

  function add({ how, settings, epoch, accuracy }) {
    const { hidden_size: size, relu, lr, data } = settings;
    const result = how === "failed" ? "failed" : share(accuracy);
    const n_images = whole(images[data].train);
    const cells = [size, relu ? "yes" : "no", lr, epochNumber(epoch), n_images, result];
    body.append(make("tr", {}, ...cells.map((cell) => make("td", {}, `${cell}`))));
    element.hidden = false;
  }

  return { element: withTestId("practice-runs", element), add };
}
