// Parts that several pictures of the lesson use.

import { SIZE } from "../shared/constants.js";
import { decoded, drawSeen } from "../shared/pixels.js";
import { make, withTestId } from "../shared/dom.js";

/** @typedef {import("../shared/types").Levels} Levels */
/** @typedef {import("../shared/types").Numbers} Numbers */

const STRONG = 2; // a number this many times the root mean square has the full colour
export const SELECTED = ", selected. Press it again to show the highest one.";

/**
 * Return the absolute value that has the full colour. It is not the maximum, because the largest
 * number is often an outlier.
 * @param {Numbers} numbers
 */
export function fullOf(numbers) {
  const squares = numbers.reduce((sum, number) => sum + number * number, 0);
  return STRONG * Math.sqrt(squares / numbers.length);
}

/**
 * Return numbers as drawNumbers and drawLarge take them.
 * @param {Numbers} numbers
 * @param {number} [full] the absolute value that has the full colour
 * @returns {Levels}
 */
export function coloured(numbers, full = fullOf(numbers)) {
  const picture = { scale: full };
  const level = (number) => Math.max(-127, Math.min(127, Math.round((127 * number) / full)));
  decoded.set(picture, Int8Array.from(numbers, full ? level : () => 0));
  return picture;
}

/**
 * Create a canvas for a 28 × 28 picture.
 * @param {number} [side] px
 * @param {Record<string, string>} [about] attributes; by default it is hidden from screen readers
 */
export function mapOf(side = SIZE, about = { "aria-hidden": "true" }) {
  return make("canvas", { width: side, height: side, class: "map", ...about });
}

/**
 * Create a legend of colours.
 * @param {[className: string, text: string][]} pairs
 */
export function colourKey(pairs) {
  const keys = pairs.map(([kind, text]) =>
    make("span", {}, make("i", { class: `key ${kind}` }), text),
  );
  return make("p", { class: "legend" }, ...keys);
}

/**
 * Let screen readers read a text aloud only while a control has the focus: during drawing it
 * changes all the time.
 * @param {Element} control
 * @param {Element} part
 */
export function heardAt(control, part) {
  control.addEventListener("focus", () => part.setAttribute("aria-live", "polite"));
  control.addEventListener("blur", () => part.removeAttribute("aria-live"));
}

/**
 * Create a button that shows a picture and, when pressed, copies it to the sketchpad.
 * @param {string} testId
 * @param {string} pixels 28 × 28 bytes in base64
 * @param {string | null} caption
 * @param {string} ariaLabel
 */
export function pictureButton(testId, pixels, caption, ariaLabel) {
  const canvas = mapOf();
  drawSeen(canvas, pixels);
  const button = make("button", { type: "button", "aria-label": ariaLabel }, canvas);
  if (caption !== null) button.append(make("span", {}, caption));
  return withTestId(testId, button);
}
