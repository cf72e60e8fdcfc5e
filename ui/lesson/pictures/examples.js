// Picture of ten MNIST digits.

import { choices, make } from "../../shared/dom.js";
import { inkOfPixels } from "../../shared/sketch.js";
import { pictureButton } from "../parts.js";
import { tell } from "../../shared/events.js";

/** @typedef {import("../../shared/types").Picture} Picture */

/** @type {Picture} */
export function examplesPicture(box, { examples }) {
  const grid = make("div", { class: "ten tiles" });
  const buttons = examples.map(({ pixels, label }, i) =>
    pictureButton(`example-${i}`, pixels, `${label}`, `Put this MNIST ${label} on the sketchpad`),
  );
  box.append(grid);
  choices(grid, buttons, (i) => tell("load", { ink: inkOfPixels(examples[i].pixels) }));
}
