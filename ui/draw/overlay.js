// What lies over the ink on the sketchpad.

import { PEN, SIDE } from "../shared/constants.js";
import { place } from "../shared/sketch.js";

/** @typedef {import("../shared/types").Pad} Pad */

const CROSS = 6; // units from the ink's centre of mass to the ends of its cross

/**
 * Draw the box that preprocessing found, the ink's centre of mass, and the keyboard's pen.
 * @param {CanvasRenderingContext2D} brush
 * @param {Pad} pad
 * @param {boolean} focused whether the keyboard's pen is shown
 */
export function drawOverlay(brush, pad, focused) {
  brush.clearRect(0, 0, SIDE, SIDE);
  brush.strokeStyle = "#2f86d0";
  if (pad.frame && pad.drawing === null) {
    let [x, y, zoom] = [0, 0, 1];
    if (pad.ink.picture) {
      const [left, top, across] = place(pad.ink.picture);
      const { image, width = image.width } = pad.ink.picture;
      [x, y, zoom] = [left, top, across / width];
    }
    const [left, top, right, bottom] = pad.ink.picture ? pad.frame.box : inkBox(pad.ink.strokes);
    brush.lineWidth = 1;
    brush.setLineDash([4, 3]);
    brush.strokeRect(x + left * zoom, y + top * zoom, (right - left) * zoom, (bottom - top) * zoom);
    brush.setLineDash([]);
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

// Return the bounding box of the strokes as they are shown; preprocessing uses another pen.
function inkBox(strokes) {
  const points = strokes.flat();
  const reach = ([, , width = 1]) => (PEN * width) / 2;
  return [
    Math.min(...points.map((each) => each[0] - reach(each))),
    Math.min(...points.map((each) => each[1] - reach(each))),
    Math.max(...points.map((each) => each[0] + reach(each))),
    Math.max(...points.map((each) => each[1] + reach(each))),
  ];
}
