// Table of the visitor's trainings.

import { make, tested } from "../../shared/dom.js";
import { epochNumber } from "./words.js";
import { share, whole } from "../../shared/numbers.js";

/**
 * Create the table, with one row per training.
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
    "aria-label": "Your trainings",
  };
  const scroll = make("div", attributes, table);
  const element = make("div", { hidden: "" }, make("h3", {}, "Your trainings"), scroll);

  function add({ how, settings, epoch, accuracy }) {
    const { hidden_size: size, relu, lr, data } = settings;
    const result = how === "failed" ? "failed" : share(accuracy);
    const n_images = whole(images[data].train);
    const cells = [size, relu ? "yes" : "no", lr, epochNumber(epoch), n_images, result];
    body.append(make("tr", {}, ...cells.map((cell) => make("td", {}, `${cell}`))));
    element.hidden = false;
  }

  return { element: tested("practice-runs", element), add };
}
