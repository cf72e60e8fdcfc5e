// The weights of the first hidden units, as pictures.

import { SIZE } from "../../shared/constants.js";
import { bytes, decoded, drawNumbers } from "../../shared/pixels.js";
import { make, setAttribute, setText, tested } from "../../shared/dom.js";

const TILE_GAIN = 0.6; // of the largest weight has the full colour

/**
 * Show the weights of the first hidden units as pictures, each as bright as its own largest
 * weight.
 */
export function practiceTiles() {
  const title = make("p", { class: "note" });
  const grid = tested("practice-weights", make("div", { class: "weights", role: "img" }));
  let drawn = null;

  function show({ settings: { hidden_size: size }, scales }, { weights }) {
    if (!weights || weights === drawn) return;
    drawn = weights;
    const all = new Int8Array(bytes(weights).buffer);
    const count = all.length / SIZE ** 2;
    const words = `The weights of ${count < size ? `${count} of the ${size}` : `all ${count}`} hidden units`;
    setText(title, `${words}: blue where ink switches a unit on, orange where it keeps it off.`);
    setAttribute(grid, "aria-label", words);
    while (grid.children.length > count) grid.lastElementChild.remove();
    while (grid.children.length < count) {
      grid.append(make("canvas", { width: SIZE, height: SIZE }));
    }
    grid.querySelectorAll("canvas").forEach((canvas, i) => {
      const tile = { scale: scales[i] };
      decoded.set(tile, all.subarray(i * SIZE ** 2, (i + 1) * SIZE ** 2));
      drawNumbers(canvas, tile, { full: TILE_GAIN * tile.scale });
    });
  }

  return { element: make("div", {}, title, grid), show };
}
