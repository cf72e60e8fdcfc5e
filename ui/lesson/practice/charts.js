// Charts of a training's loss and accuracy, which grow while it runs.

import { axes, colourOf, dashOf, extent, panel, path, values } from "../../shared/chart.js";
import { draw, make, onWidth, setText, tested } from "../../shared/dom.js";
import { lossText, wordsOf } from "./words.js";
import { share } from "../../shared/numbers.js";

const CHART = 220; // px high
const LOSSES = [0.01, 10]; // range of the loss axis: it extends to lower losses; higher ones leave the chart
const EARLIER = "#8a8a92"; // colour of the previous training

/** Create two charts that grow. The training before stays visible behind them. */
export function practiceCharts() {
  const names = ["training loss", "validation loss", "validation accuracy"];
  const lines = names.map((name, i) => ({ name, colour: colourOf(i), dash: dashOf(i) }));
  const legend = values("practice", lines);
  const [loss, right] = ["practice-loss", "practice-accuracy"].map((testid) => {
    const { sheet, box } = panel();
    return { sheet, box: tested(testid, box) };
  });
  const behind = make("p", { class: "note", hidden: "" });
  let width = 0;
  let shown = null; // { points, settings }
  let before = null;

  function begin() {
    if (shown?.points.val.length > 1) before = shown; // leave out a training that failed at once
    shown = null;
  }

  function show(points, settings) {
    shown = { points, settings };
    const at = (curve, i) => curve.at(-1)?.[i] ?? null;
    const newest = [at(points.loss, 1), at(points.val, 1)].map(lossText);
    legend.show([...newest, share(at(points.val, 2))]);
    behind.hidden = !before;
    if (before) setText(behind, `Grey, dashed: your training before, ${wordsOf(before.settings)}.`);
    if (width) redraw();
  }

  function redraw() {
    const { points, settings } = shown;
    const common = { width, height: CHART, x: [0, settings.epochs], below: "epoch" };
    const vals = [points, ...(before ? [before.points] : [])].map(({ val }) => val);
    const curves = [curveOf(points.loss, 1), ...vals.map((val) => curveOf(val, 1))];
    const losses = { log: true, y: lossesOf(curves), label: "loss (logarithmic)" };
    plot(axes(loss.sheet, { ...common, ...losses }), curves, lines.slice(0, 2));
    const accuracies = vals.map((val) => curveOf(val, 2));
    const unit = (value) => share(value, 0);
    const rates = { y: [floorOf(accuracies), 1], label: "validation accuracy", unit };
    plot(axes(right.sheet, { ...common, ...rates }), accuracies, lines.slice(2));
  }

  onWidth(loss.sheet.parentElement, (next) => {
    width = next;
    if (shown) redraw();
  });
  const panels = make("div", { class: "panels" }, loss.box, right.box);
  return { element: make("div", {}, panels, legend.table, behind), begin, show };
}

function curveOf(points, i) {
  return points.map((point) => [point[0], point[i]]);
}

function lossesOf(curves) {
  const all = curves.flat().map(([, loss]) => Math.min(loss, LOSSES[1]));
  return extent([[LOSSES[0], ...all]], true);
}

// Return where the accuracy axis begins: after the first epoch, above the 10 % of guessing.
function floorOf(curves) {
  const trained = curves.flat().filter(([epoch]) => epoch > 0);
  const least = Math.min(0.9, ...trained.map(([, right]) => right));
  return Math.max(0, Math.floor(10 * least - 1e-9) / 10);
}

// Draw curves within the frame; those of the previous training lie behind the others.
function plot({ across, up, inside, left, right, top, bottom }, curves, lines) {
  const [width, height] = [right - left, bottom - top];
  const view = { x: left, y: top, width, height, viewBox: `${left} ${top} ${width} ${height}` };
  const drawn = curves.map((points, i) => {
    const { name, colour, dash } = lines[i] ?? { name: "before", colour: EARLIER, dash: "3 3" };
    const line = { class: "line", stroke: colour, "stroke-dasharray": dash, "data-line": name };
    return draw("path", { ...line, d: path(points, across, up) });
  });
  inside.append(draw("svg", view, ...drawn.reverse()));
}
