// A drawing in a link: base64url of integers, the differences between points in tenths of a unit.

import { SIZE } from "../shared/constants.js";
import { inkOfPixels } from "../shared/sketch.js";
import { bytes } from "../shared/pixels.js";

/** @typedef {import("../shared/types").Stroke} Stroke */

/**
 * Encode a drawing as base64url text.
 * @param {Stroke[]} strokes
 * @returns {string}
 */
export function encode(strokes) {
  const out = [];
  const put = (value) => {
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
    out.push(rest);
  };
  const putSigned = (value) => put(value < 0 ? -2 * value - 1 : 2 * value);
  for (const stroke of strokes) {
    const wide = stroke.some((point) => point.length > 2);
    put(2 * stroke.length + (wide ? 1 : 0));
    let last = [0, 0];
    for (const point of stroke) {
      const next = [Math.round(10 * point[0]), Math.round(10 * point[1])];
      putSigned(next[0] - last[0]);
      putSigned(next[1] - last[1]);
      if (wide) put(Math.round(8 * (point[2] ?? 1)));
      last = next;
    }
  }
  const text = btoa(out.map((byte) => String.fromCharCode(byte)).join(""));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Remove the fragment from the address. */
export function dropLink() {
  history.replaceState(null, "", location.pathname + location.search);
}

/**
 * Decode a drawing; return null if `encode` did not make the text, as when a link was cut off.
 * @param {string} text
 * @returns {Stroke[] | null}
 */
export function decode(text) {
  let at = 0;
  let data;
  try {
    data = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    return null;
  }
  const take = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      if (at >= data.length || factor > 2 ** 28) throw new RangeError("cut off");
      const byte = data.charCodeAt(at);
      at += 1;
      value += (byte % 128) * factor;
      if (byte < 128) return value;
    }
  };
  const takeSigned = () => {
    const value = take();
    return value % 2 ? -(value + 1) / 2 : value / 2;
  };
  const strokes = [];
  try {
    while (at < data.length) {
      const head = take();
      const stroke = [];
      let [x, y] = [0, 0];
      for (let left = Math.floor(head / 2); left > 0; left -= 1) {
        x += takeSigned();
        y += takeSigned();
        stroke.push(head % 2 ? [x / 10, y / 10, take() / 8] : [x / 10, y / 10]);
      }
      if (stroke.length) strokes.push(stroke);
    }
  } catch {
    return null;
  }
  return strokes;
}

/**
 * Return the ink that a link holds: a drawing, or the 28 × 28 bytes of a picture. Return null if
 * the link is incomplete.
 * @param {URLSearchParams} parts the parameters in the link's fragment
 * @returns {import("../shared/types").Ink | null}
 */
export function linkedInk(parts) {
  if (parts.has("pixels")) return pictureOf(parts.get("pixels"));
  const strokes = decode(parts.get("drawing"));
  return strokes && { strokes, picture: null };
}

function pictureOf(text) {
  const pixels = text.replaceAll("-", "+").replaceAll("_", "/");
  try {
    if (bytes(pixels).length !== SIZE * SIZE) return null;
  } catch {
    return null;
  }
  return inkOfPixels(pixels);
}
