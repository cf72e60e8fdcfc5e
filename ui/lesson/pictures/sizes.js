// Plot of accuracy by number of hidden units.

import {
  axes,
  colourOf,
  legendOf,
  numbers,
  onPoint,
  panel,
  path,
  slider,
} from "../../shared/chart.js";
import { draw, make, onWidth, setText, withTestId } from "../../shared/dom.js";
import { share, whole } from "../../shared/numbers.js";

/** @typedef {import("../../shared/types").Picture} Picture */

const TUTORIAL = 32; // hidden units

/** @type {Picture} */
export function sizesPicture(box, { figures }) {
  const { sizes, sizes_epochs: epochs, seeds } = figures.lesson;
  const rows = Object.entries(sizes).map(([size, of]) => ({ size: Number(size), ...of }));
  const baseline = rows.find(({ size }) => size === 0);
  const layers = rows.filter(({ size }) => size > 0);
  const first = Math.max(0, layers.findIndex(({ size }) => size === TUTORIAL)); // prettier-ignore
  const title = withTestId("sizes-at", make("p", { class: "readout" }));
  const { sheet, box: place } = panel();
  const control = slider("sizes", {
    label: "Hidden units",
    count: layers.length,
    first,
    says: (i) => sizeText(layers[i]),
    move: (i) => {
      setText(title, sizeText(layers[i]));
      move(i);
    },
  });
  const move = sizesChart(sheet, layers, baseline, control.go);
  const heads = ["hidden units", "parameters", "mean", "lowest", "highest"];
  withTestId("sizes", box);
  box.append(
    place,
    control.element,
    title,
    legendOf([["dot", `mean of ${seeds.length} seeds, with the lowest and the highest`], ["ideal", "no hidden layer: logistic regression"]]), // prettier-ignore
    numbers("sizes", "All sizes as a table", heads, () => rows.map(sizeRow)),
    make("p", { class: "note" }, sizesNote(epochs)),
  );
  control.go(first);
}

function sizesNote(epochs) {
  return `All trained with the tutorial’s recipe for ${epochs} epochs on 50,000 images. Accuracy on the 10,000 validation images.`;
}

function sizeText({ size, n_parameters: count, mean, low, high }) {
  return `${whole(size)} hidden units: accuracy ${share(mean, 2)} (${share(low, 2)} to ${share(high, 2)}), ${whole(count)} parameters`;
}

function sizeRow({ size, n_parameters: count, mean, low, high }) {
  const shares = [mean, low, high].map((value) => share(value, 2));
  return [size ? whole(size) : "none", whole(count), ...shares];
}

// Draw accuracy by number of hidden units, on a logarithmic axis.
function sizesChart(sheet, rows, baseline, pick) {
  const xs = rows.map((row) => Math.log2(row.size));
  const all = [...rows, baseline].flatMap((row) => [row.low, row.high]);
  const y = [Math.floor(50 * Math.min(...all)) / 50, Math.ceil(100 * Math.max(...all)) / 100];
  let [at, now] = [null, 0];
  const cursor = draw("g", { class: "cursor" });
  onWidth(sheet.parentElement, (width) => {
    at = axes(sheet, {
      width,
      height: 300,
      x: [xs[0] - 0.3, xs.at(-1) + 0.3],
      y,
      at: xs,
      named: (value) => whole(Math.round(2 ** value)),
      label: "validation accuracy",
      unit: (value) => share(value, 0),
      below: "hidden units (logarithmic)",
    });
    at.inside.append(...sizesInside(at, xs, rows, baseline), cursor);
    move(now);
  });
  const move = (i) => {
    now = i;
    if (!at) return;
    const [x, y] = [at.across(xs[i]), at.up(rows[i].mean)];
    cursor.replaceChildren(draw("circle", { cx: x, cy: y, r: 9, class: "ring" }));
  };
  onPoint(sheet, (x) => {
    const away = (i) => Math.abs(at.across(xs[i]) - x);
    pick(xs.reduce((best, _, i) => (away(i) < away(best) ? i : best), 0));
  });
  return move;
}

function sizesInside({ across, up, left, right, top, bottom }, xs, rows, baseline) {
  const level = up(baseline.mean);
  const mean = path(rows.map((row, i) => [xs[i], row.mean]), across, up); // prettier-ignore
  const marks = rows.flatMap(({ size, ...of }, i) => {
    const x = across(xs[i]);
    const [low, high] = [up(of.low), up(of.high)];
    const whisker = `M${x - 5} ${low}h10M${x} ${low}V${high}M${x - 5} ${high}h10`;
    const own = size === TUTORIAL;
    const line = own ? draw("path", { class: "mark", d: `M${x} ${top}V${bottom}` }) : "";
    const name = own ? draw("text", { x: x + 6, y: bottom - 8 }, "the tutorial’s") : "";
    const dot = draw("circle", { cx: x, cy: up(of.mean), r: 4, fill: colourOf(0) });
    return [line, name, draw("path", { class: "whisker", d: whisker }), dot];
  });
  const label = `logistic regression, ${share(baseline.mean, 2)}`;
  return [
    draw("path", { class: "ideal", d: `M${left} ${level}H${right}` }),
    draw("text", { x: right, y: level - 6, "text-anchor": "end" }, label),
    draw("path", { class: "line", d: mean, stroke: colourOf(0) }),
    ...marks.filter(Boolean),
  ];
}
