// Shows weights × pixels = product, and the sum of the product.

import { SIZE } from "../shared/constants.js";
import { addUp, signed } from "../shared/numbers.js";
import { coloured, fullOf, mapOf } from "./parts.js";
import { drawNumbers, drawSeen } from "../shared/pixels.js";
import { inputOf, largest, seenOf } from "./reading.js";
import { make, setText, withTestId } from "../shared/dom.js";

/**
 * Show weights × pixels = product, and the sum: positive terms, negative terms and the bias.
 * @param {string} name prefix of the test id
 * @param {string} what caption of the weights
 */
export function apart(name, what) {
  const maps = [what, "your pixels", "product"].map((caption) => {
    const canvas = mapOf(SIZE, { role: "img", "aria-label": caption });
    return { canvas, figure: make("figure", {}, canvas, make("figcaption", {}, caption)) };
  });
  const signs = ["×", "="].map((sign) =>
    make("span", { class: "sign", "aria-hidden": "true" }, sign),
  );
  const [weights, pixels, product] = maps.map(({ canvas }) => canvas);
  const sum = withTestId(`${name}-sum`, make("p", { class: "sum" }));
  const [first, second, third] = maps.map(({ figure }) => figure);
  const row = make("div", { class: "apart" }, first, signs[0], second, signs[1], third);
  const show = (reading, row, bias, total, of) => {
    const terms = row.map((weight, i) => weight * inputOf(reading)[i]);
    drawNumbers(weights, coloured(row));
    drawSeen(pixels, seenOf(reading));
    // The product has the scale of the weights, unless its own numbers are smaller.
    drawNumbers(product, coloured(terms, Math.min(fullOf(row), largest(terms))));
    const shown = addUp([...sidesOf(terms), bias], total);
    const [plus, minus, added] = shown.terms;
    setText(
      sum,
      `${of}: ${plus} (for) ${signed(minus)} (against) ${signed(added)} (bias) = ${shown.total}`,
    );
    return shown.total;
  };
  return { element: make("div", {}, row, sum), show };
}

// Return the sum of the positive terms and that of the negative terms.
function sidesOf(terms) {
  let [plus, minus] = [0, 0];
  for (const term of terms) {
    if (term > 0) plus += term;
    else minus += term;
  }
  return [plus, minus];
}
