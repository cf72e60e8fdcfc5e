// Charts of the loss and accuracy of a training run, which grow while it runs.

import { axes, colourOf, dashOf, extent, panel, path, values } from "../../shared/chart.js";
import { draw, make, onWidth, setText, withTestId } from "../../shared/dom.js";
import { lossText } from "./words.js";
import { share } from "../../shared/numbers.js";

const HEIGHT = 220; // px
const LOSSES = [0.01, 10]; // range of the loss axis; it extends to lower losses, not to higher ones
const EARLIER = "#8a8a92"; // colour of the previous training run

/** Create the two charts. The previous training run stays visible behind the current one. */
export function practiceCharts() {
  const names = ["training loss", "validation loss", "validation accuracy"];
  const lines = names.map((name, i) => ({ name, colour: colourOf(i), dash: dashOf(i) }));
  const legend = values("practice", lines);
  const [loss, accuracy] = ["practice-loss", "practice-accuracy"].map((testid) => {
    const { sheet, box } = panel();
    return { sheet, box: withTestId(testid, box) };
  });
  const note = make("p", { class: "note", hidden: "" });
  let width = 0;
  let current = null;
  let previous = null;

  function begin() {
    if (current?.val.length > 1) previous = current; // not a run that failed immediately
    current = null;
  }

  function show(training) {
    current = training;
    const newest = [training.loss.at(-1)?.[1] ?? null, training.val.at(-1)[1]].map(lossText);
    legend.show([...newest, share(training.val.at(-1)[2])]);
    note.hidden = !previous;
    if (previous) setText(note, previousText(previous.settings));
    if (width) redraw();
  }

  function redraw() {
    const common = { width, height: HEIGHT, x: [0, current.settings.epochs], below: "epoch" };
    const vals = [current, ...(previous ? [previous] : [])].map(({ val }) => val);
    const losses = [current.loss, ...vals].map((points) => column(points, 1));
    const lossAxis = { log: true, y: lossRange(losses), label: "loss (logarithmic)" };
    plot(axes(loss.sheet, { ...common, ...lossAxis }), losses, lines.slice(0, 2));
    const accuracies = vals.map((points) => column(points, 2));
    const unit = (value) => share(value, 0);
    const y = [lowestAccuracy(accuracies), 1];
    const accuracyAxis = { y, label: "validation accuracy", unit };
    plot(axes(accuracy.sheet, { ...common, ...accuracyAxis }), accuracies, lines.slice(2));
  }

  onWidth(loss.sheet.parentElement, (next) => {
    width = next;
    if (current) redraw();
  });
  const panels = make("div", { class: "panels" }, loss.box, accuracy.box);
  return { element: make("div", {}, panels, legend.table, note), begin, show };
}

function previousText({ hidden_size: size, relu, lr }) {
  const settings = `${size} hidden units ${relu ? "with" : "without"} ReLU, learning rate ${lr}`;
  return `Grey, dashed: your previous training run, ${settings}.`;
}

function column(points, i) {
  return points.map((point) => [point[0], point[i]]);
}

function lossRange(curves) {
  const all = curves.flat().map(([, loss]) => Math.min(loss, LOSSES[1]));
  return extent([[LOSSES[0], ...all]], true);
}

// The lowest value of the accuracy axis: below all values after the start, which is at 10 %.
function lowestAccuracy(curves) {
  const trained = curves.flat().filter(([epoch]) => epoch > 0);
  const lowest = Math.min(0.9, ...trained.map(([, accuracy]) => accuracy));
  return Math.max(0, Math.floor(10 * lowest - 1e-9) / 10);
}

// Draw the curves of the current training run, and behind them those of the previous one.
function plot({ across, up, inside, left, right, top, bottom }, curves, lines) {
  const [width, height] = [right - left, bottom - top];
  const view = { x: left, y: top, width, height, viewBox: `${left} ${top} ${width} ${height}` };
  const paths = curves.map((points, i) => {
    const { name, colour, dash } = lines[i] ?? { name: "before", colour: EARLIER, dash: "3 3" };
    const line = { class: "line", stroke: colour, "stroke-dasharray": dash, "data-line": name };
    return draw("path", { ...line, d: path(points, across, up) });
  });
  inside.append(draw("svg", view, ...paths.reverse()));
}
