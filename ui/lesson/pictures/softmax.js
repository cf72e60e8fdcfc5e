// Picture of softmax, with a temperature.

import { DIGITS } from "../../shared/constants.js";
import { addUp, decimal, percent } from "../../shared/numbers.js";
import { indexOfMost, isBlank, softmax } from "../reading.js";
import { make, setAttribute, setText, withTestId } from "../../shared/dom.js";
import { slider } from "../../shared/chart.js";

/** @typedef {import("../../shared/types").Picture} Picture */

const COOLEST = 0.25; // lowest temperature of the slider
const WARMEST = 16; // highest temperature of the slider
const PER_DOUBLING = 8;
const WIDEST = 1e5; // larger sums are shown in thousands, millions and so on

/** @type {Picture} */
export function softmaxPicture(box, { network }) {
  const own = network.temperature;
  const stops = temperatures(own);
  const rows = DIGITS.map(softmaxRow);
  const sum = withTestId("softmax-sum", make("td"));
  const unit = make("span", { class: "unit-of" });
  const summary = withTestId("softmax-at", make("p", { class: "readout" }));
  const note = make("p", { class: "note" });
  const chosen = stops.indexOf(own);
  let [reading, temperature] = [null, own];
  const control = slider("softmax", {
    label: "Temperature",
    count: stops.length,
    first: chosen,
    says: (i) => temperatureName(stops[i], own),
    move: (i) => {
      temperature = stops[i];
      marks.forEach((mark) => setAttribute(mark, "aria-pressed", mark.value === `${temperature}`));
      show();
    },
  });
  control.element.lastElementChild.setAttribute("data-testid", "softmax-temperature");
  const marks = [...new Set([own, 1])].map((stop) => {
    const mark = make("button", { type: "button", value: stop }, temperatureName(stop, own));
    mark.addEventListener("click", () => control.go(stops.indexOf(stop)));
    return withTestId(stop === own ? "softmax-calibrated" : "softmax-tutorial", mark);
  });
  const show = () => {
    setText(summary, temperatureName(temperature, own));
    if (reading) showSoftmax({ rows, sum, unit, summary, note }, reading, temperature, own);
  };
  box.append(
    make("div", { class: "warmth" }, control.element, make("div", {}, ...marks)),
    summary,
    softmaxTable(rows, sum, unit),
    note,
  );
  control.go(chosen);
  return (next) => {
    reading = next;
    show();
  };
}

// Return temperatures in equal ratios, including the calibrated one and the tutorial's, which is 1.
function temperatures(own) {
  const count = Math.round(PER_DOUBLING * Math.log2(WARMEST / COOLEST));
  const even = Array.from({ length: count + 1 }, (_, i) => COOLEST * 2 ** (i / PER_DOUBLING));
  const near = (value) => [own, 1].some((each) => Math.abs(Math.log(value / each)) < 0.03);
  return [...even.filter((value) => !near(value)), ...new Set([own, 1])].sort((a, b) => a - b);
}

function temperatureName(value, own) {
  const names = [value === own && "calibrated", value === 1 && "the tutorial’s"].filter(Boolean);
  return [`T = ${value === 1 ? "1" : value.toFixed(2)}`, ...names].join(", ");
}

function softmaxRow(digit) {
  const name = make("th", { scope: "row" }, `${digit}`);
  const cells = ["logit", "divided", "power", "probability"];
  const [logit, divided, power, probability] = cells.map((each) =>
    withTestId(`softmax-${each}-${digit}`, make("td")),
  );
  const [level, own] = [make("i"), make("b")];
  const bar = make("td", { class: "share", "aria-hidden": "true" }, make("span", {}, level, own));
  const row = make("tr", {}, name, logit, divided, power, probability, bar);
  return { row, name, logit, divided, power, probability, level, own };
}

function softmaxTable(rows, sum, unit) {
  const head = (...inside) => make("th", { scope: "col" }, ...inside);
  const heads = ["digit", "logit z", "z / T"].map((text) => head(text));
  const power = head(unit, "e", make("sup", {}, "z / T"));
  const foot = make(
    "tr",
    {},
    make("th", { scope: "row", colspan: 3 }, "sum"),
    sum,
    make("td", {}, "≈ 100 %"),
    make("td", { "aria-hidden": "true" }),
  );
  return make(
    "table",
    {},
    make("thead", {}, make("tr", {}, ...heads, power, head("probability"), make("td"))),
    make("tbody", {}, ...rows.map(({ row }) => row)),
    make("tfoot", {}, foot),
  );
}

function showSoftmax(parts, { verdict, logits, probabilities }, temperature, own) {
  const blank = isBlank({ verdict });
  const calibrated = probabilities ?? softmax(logits, own);
  const shares = temperature === own ? calibrated : softmax(logits, temperature);
  const best = indexOfMost(logits);
  const powers = powersOf(logits, temperature);
  parts.rows.forEach((row, digit) => {
    row.row.classList.toggle("winner", !blank && digit === best);
    setText(row.name, `${!blank && digit === best ? "▸ " : ""}${digit}`);
    setText(row.logit, blank ? "–" : decimal(logits[digit]));
    setText(row.divided, blank ? "–" : decimal(logits[digit] / temperature));
    setText(row.power, blank ? "–" : powers.shown[digit]);
    setText(row.probability, blank ? "–" : percent(shares[digit]));
    row.level.style.width = blank ? "0" : `${100 * shares[digit]}%`;
    row.own.style.left = `${100 * calibrated[digit]}%`;
    row.own.hidden = blank || temperature === own;
  });
  setText(parts.sum, blank ? "–" : powers.total);
  setText(parts.unit, powers.unit && !blank ? `in ${powers.unit}` : "");
  const name = temperatureName(temperature, own);
  const there = blank ? "draw a digit." : `the probability of ${best} is ${percent(shares[best])}`;
  const here =
    blank || temperature === own
      ? ""
      : ` (calibrated: ${percent(calibrated[best])}, see the thin marks)`;
  setText(parts.summary, `${name}: ${there}${here}`);
  setText(parts.note, softmaxNote(verdict));
}

function softmaxNote(verdict) {
  const rounded = "Each column is computed from unrounded numbers.";
  if (verdict !== "not_a_digit") return rounded;
  return `The network answers “not a digit” because of its eleventh logit. The softmax over the ten digits still adds up to 100 %. ${rounded}`;
}

// Return e^(z / T) for all ten logits in a common unit, rounded so that they add up.
function powersOf(logits, temperature) {
  const exponents = logits.map((logit) => logit / temperature);
  const sizes = exponents.map(Math.exp);
  const sum = sizes.reduce((total, size) => total + size, 0);
  const thousands = Math.max(0, Math.ceil(Math.log10(sum / WIDEST) / 3));
  const unit = 10 ** (3 * thousands);
  const parts = sizes.map((size) => size / unit);
  const { terms, total } = addUp(parts, sum / unit, DIGITS);
  const shown = terms.map((text) => (text === "0.00" ? "< 0.01" : grouped(text)));
  return { shown, total: grouped(total), unit: thousands ? `10${raised(3 * thousands)}` : "" };
}

function grouped(text) {
  return text.replace(/\B(?=(\d{3})+\.)/g, ",");
}

function raised(power) {
  return [...`${power}`].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");
}
