// Draw an example on the sketchpad as a person would.

/** @typedef {import("../shared/types").Pad} Pad */

const REPLAY = 700; // ms that an example takes to be drawn

/**
 * Draw strokes one after the other, or at once for visitors who prefer no motion.
 * @param {Pad} pad
 * @param {import("../shared/types").Stroke[]} strokes
 */
export function replay(pad, strokes) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
    pad.replace({ strokes, picture: null });
    return;
  }
  const total = strokes.reduce((sum, stroke) => sum + stroke.length, 0);
  const started = performance.now();
  pad.drawing = "replay";
  pad.replaying = strokes;
  const step = (now) => {
    if (pad.replaying !== strokes) return;
    let left = Math.max(1, Math.ceil((Math.max(0, now - started) / REPLAY) * total));
    const done = [];
    for (const stroke of strokes) {
      if (left > 0) done.push(stroke.slice(0, left));
      left -= stroke.length;
    }
    pad.ink = { strokes: done, picture: null };
    if (left >= 0) pad.endStroke();
    else {
      pad.update();
      requestAnimationFrame(step);
    }
  };
  requestAnimationFrame(step);
}
