// Numbers as text: rounded so that the sums and products that are shown hold.

import { NOT_A_DIGIT } from "./constants.js";

export const MINUS = "\u2212";

/**
 * Format a probability. Rounding must not turn a high one into certainty, not even float32's.
 * @param {number} share 0 to 1
 */
export function percent(share) {
  return share > 0.9995 ? "> 99.9 %" : `${(100 * share).toFixed(1)} %`;
}

/**
 * Name a logit.
 * @param {number} logit 0 to 10
 */
export function logitName(logit) {
  return logit === NOT_A_DIGIT ? "“not a digit”" : `${logit}`;
}

function hundredths(count) {
  const text = (Math.abs(count) / 100).toFixed(2);
  return count < 0 ? MINUS + text : text;
}

/**
 * Format a number with two decimals.
 * @param {number} value
 */
export function decimal(value) {
  return hundredths(Math.round(100 * value));
}

/**
 * Round the terms of a sum to hundredths such that the numbers shown add up. If rounding each
 * term by itself misses the total, the terms nearest to the next hundredth are rounded the other
 * way.
 * @param {number[]} terms
 * @param {number} total
 * @param {number[]} [free] indices of the terms that may be rounded the other way; all but the last by default, which is a bias that is shown in other sums too
 * @returns {{ terms: string[], total: string }}
 * @throws {RangeError} the difference is larger than rounding explains
 */
export function addUp(terms, total, free = [...terms.keys()].slice(0, -1)) {
  const counts = terms.map((term) => Math.round(100 * term));
  const shown = Math.round(100 * total);
  let missing = shown - counts.reduce((sum, count) => sum + count, 0);
  // Rounding cannot explain such a difference: the terms are wrong.
  if (Math.abs(missing) > (terms.length + 3) / 2) throw new RangeError("a sum that does not hold");
  const way = Math.sign(missing);
  const residue = (i) => way * (100 * terms[i] - counts[i]);
  const some = [...free].filter((i) => terms[i] !== 0);
  const order = some.length ? some : [terms.length - 1];
  order.sort((i, k) => residue(k) - residue(i));
  for (let k = 0; missing && order.length; k = (k + 1) % order.length, missing -= way) {
    counts[order[k]] += way;
  }
  return { terms: counts.map(hundredths), total: hundredths(shown) };
}

/**
 * Round a product such that it holds in the digits shown: it is the product of the rounded
 * factors.
 * @param {number} weight
 * @param {number} activation
 */
export function timesUp(weight, activation) {
  const [w, a] = [Math.round(1e4 * weight), Math.round(1e4 * activation)];
  const value = Math.round((w * a) / 1e6) / 100;
  return { weight: tenThousandths(w), product: decimal(value), value };
}

/**
 * Format a number of ten-thousandths with four decimals.
 * @param {number} count
 */
export function tenThousandths(count) {
  return (count / 1e4).toFixed(4).replace("-", MINUS);
}

/**
 * Format an integer with separators.
 * @param {number} count
 */
export function whole(count) {
  return count.toLocaleString("en");
}

/**
 * Return a term of a sum with its sign in front, as it follows another term.
 * @param {string} text
 */
export function signed(text) {
  return text.startsWith(MINUS) ? `${MINUS} ${text.slice(1)}` : `+ ${text}`;
}

/**
 * Format a share as percent.
 * @param {number | null} value 0 to 1
 * @param {number} [digits]
 */
export function share(value, digits = 1) {
  return value === null ? "–" : `${(100 * value).toFixed(digits)} %`;
}

/**
 * Format a number with three significant digits.
 * @param {number | null} value
 */
export function figure(value) {
  return value === null ? "–" : `${Number(value.toPrecision(3))}`;
}
