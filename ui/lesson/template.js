// A template of the logistic regression with the outline of the ink on it.

import { SIZE } from "../shared/constants.js";
import { coloured, mapOf } from "./parts.js";
import { drawLarge, outline } from "../shared/pixels.js";
import { seenOf } from "./reading.js";

/** @typedef {import("../shared/types").LessonReading} LessonReading */
/** @typedef {import("../shared/types").Numbers} Numbers */

const INKED = 4 * SIZE; // px: width of a template, large enough for the outline of the ink

/**
 * Create a picture of a template that `show` draws an outline on; the template itself is drawn
 * once.
 * @param {Numbers} weights
 */
export function inkedMap(weights) {
  const canvas = mapOf(INKED);
  const plain = new OffscreenCanvas(INKED, INKED);
  drawLarge(plain, coloured(weights));
  const brush = canvas.getContext("2d");
  brush.drawImage(plain, 0, 0);
  const show = (line) => {
    brush.drawImage(plain, 0, 0);
    brush.drawImage(line, 0, 0);
  };
  return { canvas, show };
}

/**
 * Draw the outline of the ink on a transparent canvas.
 * @param {LessonReading} reading
 */
export function outlineOf(reading) {
  const line = new OffscreenCanvas(INKED, INKED);
  outline(line, seenOf(reading));
  return line;
}
