// Plots of loss and error by epoch.

import {
  colourOf,
  dashOf,
  extent,
  lineChart,
  numbers,
  panel,
  slider,
  values,
} from "../../shared/chart.js";
import { figure, share } from "../../shared/numbers.js";
import { make, setText } from "../../shared/dom.js";

/** @typedef {import("../../shared/types").Plot} Plot */

/** @type {Plot} */
export function drawTraining(box, { history, best_epoch: best }) {
  const of = (name) => history.map((each) => each[name]);
  const wrong = (name) => of(name).map((value) => (value === null ? null : 1 - value));
  const losses = [
    { name: "training loss", values: of("loss") },
    { name: "validation loss", values: of("val_loss") },
  ];
  const errors = [{ name: "validation error", values: wrong("val_accuracy") }];
  if (of("synthetic_digits_accuracy").some((value) => value !== null)) {
    errors.push({ name: "error on synthetic digits", values: wrong("synthetic_digits_accuracy") });
  }
  const lines = [...losses, ...errors];
  lines.forEach((line, i) => Object.assign(line, { colour: colourOf(i), dash: dashOf(i) }));
  const xs = of("epoch");
  const legend = values("training", lines);
  const shown = (i) =>
    lines.map((line, k) => (k < 2 ? figure(line.values[i]) : share(line.values[i], 2)));
  const says = (i) =>
    `Epoch ${xs[i]}: ${lines.map((line, k) => `${line.name} ${shown(i)[k]}`).join(", ")}`;
  const first = Math.max(0, xs.indexOf(best));
  const control = slider("training", {
    label: "Epoch",
    count: xs.length,
    first,
    says,
    move: (i) => {
      for (const move of moves) move(i);
      legend.show(shown(i));
      setText(title, `Epoch ${xs[i]} of ${xs.at(-1)}${xs[i] === best ? ", the best" : ""}`);
    },
  });
  const title = make("p", { class: "readout" });
  title.dataset.testid = "training-at";
  const panels = [losses, errors].map(() => panel());
  box.append(
    make("div", { class: "panels" }, ...panels.map((each) => each.box)),
    control.element,
    title,
    legend.table,
    numbers("training", "All epochs as a table", ["epoch", ...lines.map(({ name }) => name)], () =>
      xs.map((x, i) => [`${x}`, ...shown(i)]),
    ),
  );
  const common = {
    xs,
    mark: best || null,
    pick: control.go,
    height: 240,
    log: true,
    below: "epoch",
  };
  const moves = [
    { lines: losses, label: "loss (logarithmic)", unit: figure },
    {
      lines: errors,
      label: "error (logarithmic)",
      unit: (value) => `${figure(100 * value)} %`,
    },
  ].map((chart, i) => {
    const values = chart.lines.map((line) => line.values);
    return lineChart(panels[i].sheet, { ...common, ...chart, y: extent(values, true) });
  });
  control.go(first);
}
