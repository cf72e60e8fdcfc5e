// Picture of two layers without ReLU, which equal one layer.

import { DIGITS } from "../../shared/constants.js";
import { decimal } from "../../shared/numbers.js";
import { indexOfMost, inputOf, largest, rowsOf } from "../reading.js";
import { inkedMap, outlineOf } from "../template.js";
import { make, setBar, setText, signedBar, withTestId } from "../../shared/dom.js";

/** @typedef {import("../../shared/types").Picture} Picture */

const WAYS_OF_LOGITS = [
  ["two", "two layers, no ReLU"],
  ["one", "one matrix"],
  ["relu", "with ReLU"],
];

/** @type {Picture} */
export function collapsePicture(box, { network: { collapsed } }) {
  const rows = rowsOf(collapsed);
  const maps = rows.map(inkedMap);
  const tiles = maps.map(({ canvas }, i) =>
    make("figure", {}, canvas, make("figcaption", {}, `${i}`)),
  );
  const table = logitsTable();
  const difference = withTestId("collapse-difference", make("p"));
  const parts = [make("div", { class: "ten tiles" }, ...tiles), table.element, difference];
  box.append(withTestId("collapse", make("div", {}, ...parts)));
  return (reading) => {
    const line = outlineOf(reading);
    for (const map of maps) map.show(line);
    const input = inputOf(reading);
    const one = rows.map((row, i) =>
      row.reduce((sum, weight, k) => sum + weight * input[k], collapsed.bias[i]),
    );
    const two = reading.without_relu;
    table.show([two, one, reading.logits]);
    const most = largest(two.map((logit, i) => logit - one[i]));
    setText(
      difference,
      `The logits in the first two columns are equal up to rounding; the largest difference is ${most.toFixed(7)}.`,
    );
  };
}

// Create a table of ten logits, computed in several ways, as numbers and bars.
function logitsTable() {
  const cellOf = (way, i) =>
    make("td", {}, withTestId(`collapse-${way}-${i}`, make("span")), signedBar(0));
  const cells = WAYS_OF_LOGITS.map(([way]) => DIGITS.map((i) => cellOf(way, i)));
  const best = WAYS_OF_LOGITS.map(([way]) => withTestId(`collapse-${way}-highest`, make("span")));
  const head = WAYS_OF_LOGITS.map(([, name]) => make("th", { scope: "col" }, name));
  const rowOf = (name, parts) => make("tr", {}, make("th", { scope: "row" }, name), ...parts);
  const rows = DIGITS.map((i) => rowOf(`${i}`, cells.map((column) => column[i]))); // prettier-ignore
  const element = make(
    "table",
    { class: "logits" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "digit"), ...head)),
    make("tbody", {}, ...rows),
    make(
      "tfoot",
      {},
      rowOf(
        "highest",
        best.map((part) => make("td", {}, part)),
      ),
    ),
  );
  const show = (all) => {
    const most = largest(all.flat()) || 1;
    all.forEach((logits, way) => {
      const highest = indexOfMost(logits);
      logits.forEach((logit, i) => {
        const cell = cells[way][i];
        setText(cell.firstElementChild, decimal(logit));
        setBar(cell.lastElementChild, logit / most);
        cell.classList.toggle("highest", i === highest);
      });
      setText(best[way], `${highest}`);
    });
  };
  return { element, show };
}
