// Picture of MNIST's split into training and validation images, and of one batch.

import { make, withTestId } from "../../shared/dom.js";
import { whole } from "../../shared/numbers.js";

/** @typedef {import("../../shared/types").Picture} Picture */

const [TRAINING, VALIDATION, IN_BATCH] = [50_000, 10_000, 128]; // numbers of images, as in the text

/** @type {Picture} */
export function splitPicture(box) {
  const batches = Math.ceil(TRAINING / IN_BATCH);
  const rest = TRAINING - (batches - 1) * IN_BATCH;
  const named = (count, what) => make("span", {}, make("b", {}, whole(count)), ` for ${what}`);
  const names = [named(TRAINING, "training"), named(VALIDATION, "validation")];
  const first = make("i", { style: `flex-grow: ${TRAINING / VALIDATION}` });
  const bar = make("div", { class: "whole", "aria-hidden": "true" }, first, make("i"));
  const squares = make("div", { class: "squares", "aria-hidden": "true" });
  for (let i = 0; i < IN_BATCH; i += 1) squares.append(make("i"));
  const fan = make("div", { class: "fan", "aria-hidden": "true" });
  fan.style.setProperty("--batch", `${(100 * IN_BATCH) / (TRAINING + VALIDATION)}%`);
  const says = `One batch: ${IN_BATCH} training images. An epoch has ${batches} batches (the last has ${rest} images), so each of the ${whole(TRAINING)} images is used once.`;
  box.append(make("p", { class: "names" }, ...names), bar, fan, squares, make("p", {}, says));
  withTestId("split", box);
}
