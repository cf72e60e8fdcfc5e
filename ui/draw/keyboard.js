// Draw on the sketchpad with the keyboard.

import { SIDE } from "../shared/constants.js";

/** @typedef {import("../shared/types").Pad} Pad */

const KEY_STEP = 4; // units that an arrow key moves the pen; with Shift, four times as far
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Move the pen with the arrow keys; Space and Enter put it down and lift it.
 * @param {HTMLCanvasElement} canvas
 * @param {Pad} pad
 */
export function drawByKeyboard(canvas, pad) {
  canvas.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return; // a shortcut of the browser
    const step = event.shiftKey ? 4 * KEY_STEP : KEY_STEP;
    if (ARROWS[event.key]) {
      const [x, y] = pad.cursor ?? [SIDE / 2, SIDE / 2];
      const [dx, dy] = ARROWS[event.key];
      const inside = (value) => Math.min(SIDE, Math.max(0, value));
      pad.cursor = [inside(x + dx * step), inside(y + dy * step)];
      if (pad.drawing === "keys") {
        pad.add(pad.point(...pad.cursor));
        pad.update();
      }
    } else if (event.key === " " || event.key === "Enter") {
      pad.cursor ??= [SIDE / 2, SIDE / 2];
      if (pad.drawing === "keys") pad.endStroke();
      else if (pad.drawing === null) pad.begin("keys", pad.point(...pad.cursor));
    } else if (event.key === "Delete" || event.key === "Backspace") {
      pad.wipe();
    } else if (event.key === "Escape" && pad.drawing === "keys") {
      pad.endStroke();
    } else {
      return;
    }
    event.preventDefault();
    pad.paint();
  });

  canvas.addEventListener("blur", () => {
    if (pad.drawing === "keys") pad.endStroke();
    pad.paintOver();
  });
}
