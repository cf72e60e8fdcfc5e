// Plot of the confusion matrix, with the mistakes in the chosen cell.

import { DIGITS } from "../../shared/constants.js";
import { make, roving, setText } from "../../shared/dom.js";
import { pictured } from "./mistakes.js";
import { whole } from "../../shared/numbers.js";

/** @typedef {import("../../shared/types").Plot} Plot */

const STRONGEST = 0.62; // share of the full colour in the largest cell, so that its number stays readable

/** @type {Plot} */
export function drawConfusion(box, { confusion }, { mistakes, linkTo }) {
  const sums = confusion.map((row) => row.reduce((sum, count) => sum + count, 0));
  const wrong = confusion.flatMap((row, i) => row.filter((_, k) => k !== i));
  const most = Math.max(...wrong, 1);
  const says = (label, digit) =>
    `${label} read as ${digit}: ${whole(confusion[label][digit])} of ${whole(sums[label])}`;
  const title = make(
    "p",
    { class: "readout" },
    "Point at a cell, or press it to see its mistakes.",
  );
  title.dataset.testid = "confusion-at";
  const shown = make("div", { class: "gallery" });
  shown.dataset.testid = "confusion-mistakes";
  const cells = confusion.flatMap((row, label) => row.map((count, digit) => {
    const cell = make("button", { type: "button", "aria-label": says(label, digit) }, count ? `${count}` : "");
    cell.dataset.testid = `confusion-${label}-${digit}`;
    const level = label === digit ? count / (sums[label] || 1) : Math.sqrt(count / most);
    const own = label === digit ? "47 134 208" : "217 115 13";
    if (count) cell.style.background = `rgb(${own} / ${(STRONGEST * level).toFixed(3)})`;
    return cell;
  })); // prettier-ignore
  let picked = null;
  roving(cells, () => 10, (i, isPress) => {
    const [label, digit] = [Math.floor(i / 10), i % 10];
    setText(title, `${says(label, digit)}.`);
    if (!isPress) return;
    picked?.setAttribute("aria-pressed", false);
    picked = cells[i];
    picked.setAttribute("aria-pressed", true);
    showCell(shown, mistakes, linkTo, { label, digit, count: confusion[label][digit] });
  }); // prettier-ignore
  const corner = make("td", { class: "corner" }, "label ↓ read as →");
  const heads = DIGITS.map((digit) => make("th", { scope: "col" }, `${digit}`));
  const rows = DIGITS.map((label) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, `${label}`),
      ...DIGITS.map((digit) => make("td", {}, cells[10 * label + digit])),
    ),
  );
  box.append(
    make(
      "table",
      { class: "confusion" },
      make("thead", {}, make("tr", {}, corner, ...heads)),
      make("tbody", {}, ...rows),
    ),
    title,
    shown,
  );
}

function showCell(shown, mistakes, linkTo, { label, digit, count }) {
  const found = mistakes.filter((each) => each.label === label && each.digit === digit);
  if (label === digit || !mistakes.length) {
    shown.replaceChildren();
    return;
  }
  const most = `the ${mistakes.length} most confident mistakes`;
  const note = !count
    ? `No ${label} of the test set is read as ${digit}.`
    : found.length
      ? `Those among ${most}:`
      : `None of them is among ${most}.`;
  shown.replaceChildren(
    make("p", { class: "note" }, note),
    ...found.map((each) => pictured(each, linkTo)),
  );
}
