// Draw 28 × 28 pictures: the network's input, and weights in blue and orange.

import { SIZE } from "./constants.js";

/** @typedef {import("./types").Levels} Levels */

// Okabe and Ito's blue and orange, which colour-blind people can tell apart; as in shared.css.
export const POSITIVE = [86, 180, 233];
export const NEGATIVE = [230, 159, 0];

/**
 * Decode base64.
 * @param {string} text
 */
export function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/**
 * Return a colour from orange through black to blue.
 * @param {number} level -1 to 1
 * @param {number} [brightness] 0 to 1
 * @returns {number[]} red, green and blue
 */
export function colour(level, brightness = 1) {
  const top = level < 0 ? NEGATIVE : POSITIVE;
  return top.map((part) => Math.round(part * Math.abs(level) * brightness));
}

/**
 * Return a colour as the 32 bits of an ImageData.
 * @param {number[]} colour red, green and blue
 */
export function packed([red, green, blue]) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

const palettes = new Map();
/**
 * Return the colours of -127 to 127 at some brightness. They are made once: a picture has 784 of
 * them.
 * @param {number} brightness 0 to 1
 * @returns {Uint32Array}
 */
export function palette(brightness) {
  const key = Math.round(255 * brightness);
  if (!palettes.has(key)) {
    const levels = Array.from({ length: 255 }, (_, i) =>
      packed(colour((i - 127) / 127, brightness)),
    );
    palettes.set(key, Uint32Array.from(levels));
  }
  return palettes.get(key);
}

// The int8 levels of each picture.
export const decoded = new WeakMap();
/**
 * Return the int8 levels of a picture, which are decoded once.
 * @param {Levels} picture
 * @returns {Int8Array}
 */
export function numbersOf(picture) {
  if (!decoded.has(picture)) decoded.set(picture, new Int8Array(bytes(picture.levels).buffer));
  return decoded.get(picture);
}

/**
 * Draw numbers as a 28 × 28 picture in blue and orange.
 * @param {HTMLCanvasElement | OffscreenCanvas} canvas
 * @param {Levels} picture
 * @param {{ brightness?: number, full?: number }} [options] `full` is the number that has the full colour
 */
export function drawNumbers(canvas, picture, { brightness = 1, full = picture.scale } = {}) {
  const numbers = numbersOf(picture);
  const gain = full ? picture.scale / full : 0;
  const colours = palette(brightness);
  const image = new ImageData(SIZE, SIZE);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i += 1) {
    pixels[i] = colours[127 + Math.max(-127, Math.min(127, Math.round(numbers[i] * gain)))];
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/**
 * Draw numbers on a larger canvas, each as a square.
 * @param {HTMLCanvasElement | OffscreenCanvas} canvas
 * @param {Levels} numbers
 */
export function drawLarge(canvas, numbers) {
  const small = new OffscreenCanvas(SIZE, SIZE);
  drawNumbers(small, numbers);
  const brush = canvas.getContext("2d");
  brush.imageSmoothingEnabled = false;
  brush.drawImage(small, 0, 0, canvas.width, canvas.height);
}

/**
 * Draw the outline of the ink over a picture of it whose canvas is wider than 28 pixels.
 * @param {HTMLCanvasElement | OffscreenCanvas} canvas
 * @param {string} seen 28 × 28 bytes in base64
 */
export function outline(canvas, seen) {
  const ink = bytes(seen);
  const step = canvas.width / SIZE;
  const brush = canvas.getContext("2d");
  brush.strokeStyle = "#fff";
  brush.lineWidth = 1.5;
  brush.beginPath();
  const inked = (x, y) => x >= 0 && y >= 0 && x < SIZE && y < SIZE && ink[y * SIZE + x] > 127;
  for (let y = 0; y <= SIZE; y += 1) {
    for (let x = 0; x <= SIZE; x += 1) {
      if (inked(x, y) !== inked(x, y - 1)) {
        brush.moveTo(x * step, y * step);
        brush.lineTo((x + 1) * step, y * step);
      }
      if (inked(x, y) !== inked(x - 1, y)) {
        brush.moveTo(x * step, y * step);
        brush.lineTo(x * step, (y + 1) * step);
      }
    }
  }
  brush.stroke();
}

/**
 * Draw ink as the network sees it: white on black.
 * @param {HTMLCanvasElement | OffscreenCanvas} canvas
 * @param {string} seen 28 × 28 bytes in base64
 */
export function drawSeen(canvas, seen) {
  const image = new ImageData(SIZE, SIZE);
  const pixels = new Uint32Array(image.data.buffer);
  bytes(seen).forEach((value, i) => (pixels[i] = packed([value, value, value])));
  canvas.getContext("2d").putImageData(image, 0, 0);
}
