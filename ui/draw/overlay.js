// What lies over the ink on the sketchpad.

import { PEN, SIDE } from "../shared/constants.js";
import { place } from "../shared/sketch.js";

/** @typedef {import("../shared/types").Pad} Pad */

const CROSS = 6; // units from the ink's centre of mass to the ends of its cross
const [DIGIT, REMOVED] = ["#2f86d0", "#d9730d"]; // colours

/**
 * Draw the box that preprocessing found, the ink's centre of mass, boxes around what is not part of
 * the digit, and the keyboard's pen.
 * @param {CanvasRenderingContext2D} brush
 * @param {Pad} pad
 * @param {boolean} focused whether the keyboard's pen is shown
 */
export function drawOverlay(brush, pad, focused) {
  brush.clearRect(0, 0, SIDE, SIDE);
  brush.strokeStyle = DIGIT;
  if (pad.frame && pad.drawing === null) {
    let [x, y, zoom] = [0, 0, 1];
    if (pad.ink.picture) {
      const [left, top, across] = place(pad.ink.picture);
      const { image, width = image.width } = pad.ink.picture;
      [x, y, zoom] = [left, top, across / width];
    }
    const box = pad.ink.picture ? pad.frame.box : inkBox(pad.ink.strokes, pad.frame.removed);
    /** @param {number[]} edges */
    const outline = ([left, top, right, bottom]) =>
      brush.strokeRect(
        x + left * zoom,
        y + top * zoom,
        (right - left) * zoom,
        (bottom - top) * zoom,
      );
    brush.lineWidth = 1;
    brush.setLineDash([4, 3]);
    outline(box);
    brush.setLineDash([]);
    brush.strokeStyle = REMOVED;
    brush.lineWidth = 2;
    for (const region of pad.frame.removed) outline(region.box);
    brush.strokeStyle = DIGIT;
    const [middle, centre] = [x + pad.frame.centre[0] * zoom, y + pad.frame.centre[1] * zoom];
    brush.lineWidth = 2;
    brush.beginPath();
    brush.moveTo(middle - CROSS, centre);
    brush.lineTo(middle + CROSS, centre);
    brush.moveTo(middle, centre - CROSS);
    brush.lineTo(middle, centre + CROSS);
    brush.stroke();
  }
  if (pad.cursor && focused) {
    brush.lineWidth = 2;
    brush.beginPath();
    brush.arc(...pad.cursor, pad.drawing === "keys" ? 4 : 8, 0, 2 * Math.PI);
    brush.stroke();
  }
}

// Return the bounding box of the strokes as they are shown, without stray dots; preprocessing uses
// another pen.
function inkBox(strokes, removed) {
  const isIn = ([left, top, right, bottom], [x, y]) =>
    left <= x && x <= right && top <= y && y <= bottom;
  const isStray = (stroke) => removed.some(({ box }) => stroke.every((point) => isIn(box, point)));
  const points = strokes.filter((stroke) => !isStray(stroke)).flat();
  const reach = ([, , width = 1]) => (PEN * width) / 2;
  return [
    Math.min(...points.map((each) => each[0] - reach(each))),
    Math.min(...points.map((each) => each[1] - reach(each))),
    Math.max(...points.map((each) => each[0] + reach(each))),
    Math.max(...points.map((each) => each[1] + reach(each))),
  ];
}
