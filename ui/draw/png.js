// Write a drawing as a PNG file without a canvas: some browsers return noise for its pixels.

import { PEN, SIDE } from "../shared/constants.js";

/** @typedef {import("../shared/types").Stroke} Stroke */

const PNG_START = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit += 1) rest = rest & 1 ? 0xedb88320 ^ (rest >>> 1) : rest >>> 1;
  return rest;
});

/**
 * Draw strokes in black on white as drawStroke does: one byte a pixel, row by row.
 * @param {Stroke[]} strokes
 * @param {number} zoom px a unit
 */
export function drawGrey(strokes, zoom) {
  const side = SIDE * zoom;
  const grey = new Uint8Array(side * side).fill(255);
  for (const stroke of strokes) {
    stroke.forEach((point, i) => {
      const last = stroke[Math.max(0, i - 1)];
      const width = (PEN * ((last[2] ?? 1) + (point[2] ?? 1))) / 2;
      if (i > 0 || stroke.length === 1) drawLine(grey, side, last, point, width, zoom);
    });
  }
  return grey;
}

// Draw one line with round ends. Each row is visited only where the line comes near to it.
function drawLine(grey, side, start, end, width, zoom) {
  const [[startX, startY], [endX, endY]] = [start, end];
  const [x0, y0, dx, dy] = [startX, startY, endX - startX, endY - startY].map((v) => v * zoom);
  const radius = (width * zoom) / 2;
  const reach = radius + 1;
  const length2 = dx * dx + dy * dy;
  const within = (value, most) => Math.min(most, Math.max(0, value));
  const pixel = (value) => within(Math.round(value), side);
  for (
    let row = pixel(y0 + Math.min(0, dy) - reach);
    row < pixel(y0 + Math.max(0, dy) + reach);
    row += 1
  ) {
    const y = row + 0.5 - y0;
    const near = dy ? [(y - reach) / dy, (y + reach) / dy].map((t) => within(t, 1)) : [0, 1];
    const xs = near.map((t) => x0 + t * dx);
    for (
      let column = pixel(Math.min(...xs) - reach);
      column < pixel(Math.max(...xs) + reach);
      column += 1
    ) {
      const x = column + 0.5 - x0;
      const t = length2 ? within((x * dx + y * dy) / length2, 1) : 0;
      const away = Math.hypot(x - t * dx, y - t * dy);
      const level = Math.round(255 * within(away - radius + 0.5, 1));
      const at = row * side + column;
      if (level < grey[at]) grey[at] = level;
    }
  }
}

/**
 * Return grey levels as a PNG file. Source: PNG specification, third edition, 5.3 and 11.2.
 * @param {Uint8Array} grey
 * @param {number} width px
 */
export async function pngOf(grey, width) {
  const height = grey.length / width;
  const rows = new Uint8Array(height * (width + 1)); // each begins with its filter: 0, none
  for (let y = 0; y < height; y += 1) {
    rows.set(grey.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  }
  const packing = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const packed = new Uint8Array(await new Response(packing).arrayBuffer());
  const header = new Uint8Array(13);
  new DataView(header.buffer).setUint32(0, width);
  new DataView(header.buffer).setUint32(4, height);
  header[8] = 8; // bits a pixel, of grey
  const parts = [pngChunk("IHDR", header), pngChunk("IDAT", packed), pngChunk("IEND", [])];
  return new Blob([Uint8Array.from(PNG_START), ...parts], { type: "image/png" });
}

function pngChunk(name, data) {
  const chunk = new Uint8Array(12 + data.length);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, data.length);
  chunk.set(
    [...name].map((letter) => letter.charCodeAt(0)),
    4,
  );
  chunk.set(data, 8);
  let crc = 0xffffffff;
  for (const byte of chunk.subarray(4, -4)) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  view.setUint32(8 + data.length, ~crc);
  return chunk;
}
