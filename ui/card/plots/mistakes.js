// The most confident mistakes, as pictures.

import { SIZE } from "../../shared/constants.js";
import { drawSeen } from "../../shared/pixels.js";
import { make } from "../../shared/dom.js";
import { percent, whole } from "../../shared/numbers.js";

/** @typedef {import("../../shared/types").Mistake} Mistake */
/** @typedef {import("../../shared/types").Plot} Plot */

/**
 * Create a figure of a mistake, which links to the sketchpad.
 * @param {Mistake} mistake
 * @param {(mistake: Mistake) => string} linkTo
 */
export function pictured(mistake, linkTo) {
  const canvas = make("canvas", { width: SIZE, height: SIZE, class: "map", "aria-hidden": "true" });
  drawSeen(canvas, mistake.pixels);
  const { label, digit, confidence, index } = mistake;
  const words = make(
    "figcaption",
    {},
    make("b", {}, `${label} → ${digit}`),
    ` ${percent(confidence)}`,
  );
  const title = `Image ${whole(index)} of the test set`;
  const link = make(
    "a",
    { href: linkTo(mistake), title: `${title}: open it on the sketchpad` },
    canvas,
  );
  link.setAttribute(
    "aria-label",
    `${title}, a ${label} read as ${digit}: open it on the sketchpad`,
  );
  return make("figure", {}, link, words);
}

/** @type {Plot} */
export function drawMistakes(box, { mistakes }, { linkTo }) {
  const gallery = make(
    "div",
    { class: "gallery" },
    ...mistakes.map((each) => pictured(each, linkTo)),
  );
  const note =
    "Label → answer, with the confidence of the answer. Press a picture to open it on the sketchpad.";
  box.append(
    make("p", { class: "note" }, mistakes.length ? note : "There are no mistakes."),
    gallery,
  );
}
