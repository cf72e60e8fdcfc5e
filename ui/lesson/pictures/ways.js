// Table of accuracy by training data.

import { make, withTestId } from "../../shared/dom.js";
import { numbers } from "../../shared/chart.js";
import { share, whole } from "../../shared/numbers.js";

/** @typedef {import("../../shared/types").Picture} Picture */

const USUAL_WIDTH = "16"; // px; the drawings were also measured with two other stroke widths

const WAYS = {
  alone: "MNIST alone",
  distorted: "MNIST, distorted",
  "synthetic too": "the same and synthetic digits",
  "written too": "the same and written digits",
};

/** @type {Picture} */
export function waysPicture(box, { figures }) {
  withTestId("ways", box);
  const { ways: measured, drawings, ways_epochs: epochs } = figures.lesson;
  const rows = Object.entries(measured).map(([way, of]) => ({ way: WAYS[way] ?? way, ...of }));
  const groups = [
    { name: "MNIST’s test images", short: "test", digits: 2, of: (row) => row.test_accuracy },
    {
      name: `${whole(drawings.n)} drawings by ${drawings.writers} people`,
      short: "drawings",
      digits: 1,
      of: (row) => row.drawings[USUAL_WIDTH],
    },
  ];
  const most = Math.max(...groups.flatMap(({ of }) => rows.map((row) => 1 - of(row))));
  const widths = Object.keys(rows[0].drawings);
  const heads = [
    "trained on",
    "test images",
    ...widths.map((width) => `drawings, stroke width ${width} px`),
  ];
  const table = () =>
    rows.map((row) => [
      row.way,
      share(row.test_accuracy, 2),
      ...widths.map((width) => share(row.drawings[width], 1)),
    ]);
  box.append(
    waysTable(groups, rows, most),
    make("p", { class: "readout" }, ...groups.map((group) => make("span", {}, fewer(group, rows)))),
    numbers("ways", "All stroke widths as a table", heads, table),
    make("p", { class: "note" }, waysNote(epochs)),
  );
}

function waysNote(epochs) {
  return `One hidden layer of 1,024 units, ${epochs} epochs each. People’s drawings have a stroke width of ${USUAL_WIDTH} px. Rejection is off.`;
}

function waysTable(groups, rows, most) {
  const heads = ["trained on", "correct", "wrong"];
  const bodies = groups.map((group) =>
    make(
      "tbody",
      {},
      make("tr", { class: "group" }, make("th", { scope: "rowgroup", colspan: 3 }, group.name)),
      ...rows.map((row, i) => waysRow(group, row, i, most)),
    ),
  );
  return make(
    "table",
    {},
    make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)))),
    ...bodies,
  );
}

function waysRow({ short, digits, of }, row, i, most) {
  const [right, wrong] = rightAndWrong(of(row), digits);
  const cell = (name, text, level) => {
    const inside = make("i", { style: `width: ${100 * level}%` });
    const bar = make("span", { class: `level ${name}`, "aria-hidden": "true" }, inside);
    const value = make("span", {}, text);
    return make("td", {}, withTestId(`ways-${short}-${name}-${i}`, value), bar);
  };
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, row.way),
    cell("right", right, of(row)),
    cell("wrong", wrong, (1 - of(row)) / most),
  );
}

// Return a share and its remainder, rounded so that they add up to 100 %.
function rightAndWrong(value, digits) {
  const steps = 100 * 10 ** digits;
  const count = Math.round(value * steps);
  return [count, steps - count].map((each) => `${((100 * each) / steps).toFixed(digits)} %`);
}

function fewer({ short, digits, of }, rows) {
  const wrong = (row) => rightAndWrong(of(row), digits)[1];
  const times = (1 - of(rows[0])) / (1 - of(rows.at(-1)));
  return `Mistakes on ${short === "test" ? "test images" : "drawings"}: from ${wrong(rows[0])} to ${wrong(rows.at(-1))}, reduced by a factor of ${times.toFixed(1)}. `;
}
