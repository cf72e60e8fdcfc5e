// Draw what is on the sketchpad: strokes or a picture.

import { PEN, SIDE, SIZE } from "./constants.js";
import { bytes, drawSeen } from "./pixels.js";

/** @typedef {import("./types").Ink} Ink */
/** @typedef {import("./types").SketchPicture} SketchPicture */
/** @typedef {import("./types").Stroke} Stroke */

/**
 * Draw one stroke with a round pen whose width follows its points.
 * @param {CanvasRenderingContext2D} brush
 * @param {Stroke} stroke
 */
export function drawStroke(brush, stroke) {
  brush.lineCap = brush.lineJoin = "round";
  const width = (point) => PEN * (point[2] ?? 1);
  if (stroke.length === 1) {
    const [[x, y]] = stroke; // a canvas draws no line without length
    brush.fillStyle = brush.strokeStyle;
    brush.beginPath();
    brush.arc(x, y, width(stroke[0]) / 2, 0, 2 * Math.PI);
    brush.fill();
    return;
  }
  if (stroke.every((point) => point[2] === stroke[0][2])) {
    brush.lineWidth = width(stroke[0]);
    brush.beginPath();
    brush.moveTo(stroke[0][0], stroke[0][1]);
    for (const point of stroke) brush.lineTo(point[0], point[1]);
    brush.stroke();
    return;
  }
  for (let i = 1; i < stroke.length; i += 1) {
    brush.lineWidth = (width(stroke[i - 1]) + width(stroke[i])) / 2;
    brush.beginPath();
    brush.moveTo(stroke[i - 1][0], stroke[i - 1][1]);
    brush.lineTo(stroke[i][0], stroke[i][1]);
    brush.stroke();
  }
}

/**
 * Return where a picture lies on the sketchpad: x, y, width and height.
 * @param {Pick<SketchPicture, "image">} picture
 * @returns {[number, number, number, number]}
 */
export function place({ image }) {
  const zoom = SIDE / Math.max(image.width, image.height);
  const [width, height] = [image.width * zoom, image.height * zoom];
  return [(SIDE - width) / 2, (SIDE - height) / 2, width, height];
}

/**
 * Draw what is on the sketchpad.
 * @param {CanvasRenderingContext2D} brush
 * @param {Ink} ink
 * @param {string} colour of the strokes
 */
export function drawInk(brush, { strokes, picture }, colour) {
  if (picture) brush.drawImage(picture.image, ...place(picture));
  brush.strokeStyle = colour;
  for (const stroke of strokes) drawStroke(brush, stroke);
}

/**
 * Return whether the sketchpad is empty.
 * @param {Ink} ink
 */
export function isEmpty({ strokes, picture }) {
  return strokes.length === 0 && !picture;
}

/**
 * Make a picture for the sketchpad.
 * @param {string} pixels 28 × 28 bytes in base64
 * @returns {Ink}
 */
export function inkOfPixels(pixels) {
  const image = document.createElement("canvas");
  image.width = image.height = SIZE;
  drawSeen(image, pixels);
  return { strokes: [], picture: { url: bmpOf(bytes(pixels)), image } };
}

// Return 28 × 28 grey levels as the data URL of an uncompressed BMP, 24 bits a pixel. A canvas could
// write a PNG, but some browsers return noise for its pixels.
function bmpOf(levels) {
  const start = 54; // bytes of the two headers
  const file = new DataView(new ArrayBuffer(start + 3 * levels.length));
  const put = (at, value) => file.setUint32(at, value, true);
  file.setUint16(0, 0x424d); // "BM"
  put(2, file.byteLength);
  put(10, start);
  put(14, 40); // bytes of the second header
  put(18, SIZE);
  put(22, -SIZE); // the first row is the top one
  put(26, (24 << 16) | 1);
  levels.forEach((level, i) => {
    for (let channel = 0; channel < 3; channel += 1) file.setUint8(start + 3 * i + channel, level);
  });
  return `data:image/bmp;base64,${btoa(String.fromCharCode(...new Uint8Array(file.buffer)))}`;
}
