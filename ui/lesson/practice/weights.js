// The weights of the first hidden units, as pictures.

import { drawNumbers } from "../../shared/pixels.js";
import { make, setAttribute, setText, withTestId } from "../../shared/dom.js";
import { SIZE } from "../../shared/constants.js";

const FULL = 0.6; // of a unit's largest weight: gets the full colour, and so do larger weights

/** Show the weights of the first hidden units as pictures, each scaled to its own largest weight. */
export function practiceWeights() {
  const title = make("p", { class: "note" });
  const grid = withTestId("practice-weights", make("div", { class: "weights", role: "img" }));

  function show({ settings: { hidden_size: size }, weights }) {
    const count = weights.length;
    const text = `The weights of ${count < size ? `${count} of the ${size}` : `all ${count}`} hidden units`;
    setText(title, `${text}. Ink on blue increases the unit's sum, ink on orange decreases it.`);
    setAttribute(grid, "aria-label", text);
    while (grid.children.length > count) grid.lastElementChild.remove();
    while (grid.children.length < count) {
      grid.append(make("canvas", { width: SIZE, height: SIZE }));
    }
    grid.querySelectorAll("canvas").forEach((canvas, i) => {
      drawNumbers(canvas, weights[i], { full: FULL * weights[i].scale });
    });
  }

  return { element: make("div", {}, title, grid), show };
}
