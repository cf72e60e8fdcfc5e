// Picture of the second layer: one logit as a sum over the hidden units.

import { DIGITS } from "../../shared/constants.js";
import { SELECTED, coloured, mapOf } from "../parts.js";
import { addUp, decimal, tenThousandths, timesUp } from "../../shared/numbers.js";
import {
  choices,
  make,
  press,
  setAttribute,
  setBar,
  setText,
  signedBar,
  withTestId,
} from "../../shared/dom.js";
import { drawNumbers } from "../../shared/pixels.js";
import { floats, indexOfMost, isBlank, largest, rowsOf } from "../reading.js";

/** @typedef {import("../../shared/types").Picture} Picture */

const MOST_TERMS = 10; // the largest terms have a row each; the others share one row

/** @type {Picture} */
export function secondPicture(box, { network: { layer1, layer2 } }) {
  const count = layer1.bias.length;
  const all = floats(layer2.weight);
  const weights = DIGITS.map((digit) => all.subarray(digit * count, (digit + 1) * count));
  const maps = rowsOf(layer1).map((row) => coloured(row));
  const scores = DIGITS.map(logitButton);
  const buttons = scores.map(({ button }) => button);
  const grid = make("div", { class: "logit-of", role: "group", "aria-label": "A logit" });
  const title = withTestId("second-title", make("p", { class: "readout" }));
  const sum = logitSum(maps);
  const off = withTestId("second-off", make("p", { class: "note" }));
  let [own, last] = [null, null];
  const show = () => {
    const { activations, logits } = last;
    const chosen = own ?? indexOfMost(logits);
    press(buttons, chosen);
    const highest = isBlank(last) ? "" : ", the highest";
    setText(title, `The logit of ${chosen}${own === null ? highest : SELECTED}`);
    const terms = termsOf(activations, weights[chosen]);
    sum.show(terms, layer2.bias[chosen], logits[chosen], chosen);
    setText(off, inactiveText(count - terms.length, count));
  };
  choices(grid, buttons, (digit) => {
    own = own === digit ? null : digit;
    if (last) show();
  });
  box.append(grid, title, sum.table, off);
  return (reading) => {
    last = reading;
    const best = isBlank(reading) ? null : indexOfMost(reading.logits);
    scores.forEach((each, digit) => each.show(reading.logits[digit], digit === best));
    show();
  };
}

function logitButton(digit) {
  const [name, score] = [make("b", {}, `${digit}`), make("span", { class: "score" })];
  const button = withTestId(`second-${digit}`, make("button", { type: "button" }, name, score));
  const show = (logit, wins) => {
    setText(name, `${wins ? "▸ " : ""}${digit}`);
    setText(score, decimal(logit));
    const says = `Logit of ${digit}: ${decimal(logit)}${wins ? ", the highest" : ""}`;
    setAttribute(button, "aria-label", says);
  };
  return { button, show };
}

// Return what each active unit adds to a logit, the largest first.
function termsOf(activations, weights) {
  const on = [...activations.keys()].filter((unit) => activations[unit] > 0);
  const terms = on.map((unit) => {
    const [activation, weight] = [activations[unit], weights[unit]];
    return { unit, activation, weight, term: activation * weight };
  });
  return terms.sort((a, b) => Math.abs(b.term) - Math.abs(a.term));
}

function inactiveText(off, count) {
  const inactive = off === 1 ? "1 is off and adds nothing" : `${off} are off and add nothing`;
  return `Of the ${count} units, ${off ? inactive : "none is off"}. The numbers are rounded so that they add up.`;
}

// Each product is exact in the digits shown. The row of the other units takes the rounding error.
function logitSum(maps) {
  const units = Array.from({ length: MOST_TERMS }, () => unitTerm(maps));
  const [others, bias, total] = ["others", "bias", "sum"].map(plainTerm);
  const heads = ["unit", "activation × weight", "= term"].map((text) =>
    make("th", { scope: "col" }, text),
  );
  const table = make(
    "table",
    {},
    make("thead", {}, make("tr", {}, ...heads, make("td"))),
    withTestId("second-rows", make("tbody", {}, ...units.map(({ row }) => row))),
    make("tbody", {}, others.row, bias.row),
    make("tfoot", {}, total.row),
  );
  const show = (terms, added, logit, digit) => {
    const [shown, rest] = [terms.slice(0, MOST_TERMS), terms.slice(MOST_TERMS)];
    const together = rest.reduce((sum, { term }) => sum + term, 0);
    const parts = shown.map(({ activation, weight, term }) =>
      rest.length ? timesUp(weight, activation).value : term,
    );
    const sizes = [...parts, together, added];
    const rounded = addUp(sizes, logit, rest.length ? [shown.length] : undefined);
    const most = largest(sizes) || 1;
    units.forEach((unit, i) => {
      unit.row.hidden = i >= shown.length;
      if (shown[i]) unit.show(shown[i], rounded.terms[i], most);
    });
    others.row.hidden = rest.length === 0;
    others.show(rest.length === 1 ? "1 other" : `${rest.length} others`, rounded.terms.at(-2), together / most); // prettier-ignore
    bias.show("bias", rounded.terms.at(-1), added / most);
    total.show(`logit of ${digit}`, rounded.total);
  };
  return { table, show };
}

function unitTerm(maps) {
  const [map, name, factors, value] = [mapOf(), make("span"), make("td"), make("td")];
  const track = signedBar(0);
  const head = make("th", { scope: "row" }, map, name);
  const bar = make("td", { "aria-hidden": "true" }, track);
  let drawn = null;
  const show = ({ unit, activation, weight, term }, rounded, most) => {
    if (unit !== drawn) drawNumbers(map, maps[unit]);
    drawn = unit;
    setText(name, `${unit}`);
    setText(factors, [activation, weight].map((each) => tenThousandths(Math.round(1e4 * each))).join(" × ")); // prettier-ignore
    setText(value, rounded);
    setBar(track, term / most);
  };
  return { row: make("tr", {}, head, factors, value, bar), show };
}

function plainTerm(kind) {
  const [name, value] = [make("th", { scope: "row", colspan: 2 }), make("td")];
  const bar = make("td", { "aria-hidden": "true" }, ...(kind === "sum" ? [] : [signedBar(0)]));
  const show = (words, rounded, share) => {
    setText(name, words);
    setText(value, rounded);
    if (bar.firstElementChild) setBar(bar.firstElementChild, share);
  };
  return { row: make("tr", {}, name, withTestId(`second-${kind}`, value), bar), show };
}
