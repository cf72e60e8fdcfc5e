// Plot of the rejected share of digits and non-digits by threshold.

import { colourOf, dashOf, lineChart, numbers, panel, slider, values } from "../../shared/chart.js";
import { make, setText } from "../../shared/dom.js";
import { share } from "../../shared/numbers.js";

/** @typedef {import("../../shared/types").Plot} Plot */

/** @type {Plot} */
export function drawRefusal(box, { threshold, curve }) {
  const xs = curve.map((point) => point.threshold);
  const names = ["test", "pens"].filter((name) => name in curve[0]);
  for (const name of Object.keys(curve[0])) {
    if (name !== "threshold" && !names.includes(name)) names.push(name);
  }
  const titles = { test: "MNIST test", pens: "synthetic digits" };
  const lines = names.map((key, i) => ({
    key,
    name: titles[key] ?? key,
    values: curve.map((point) => point[key]),
    colour: colourOf(i),
    dash: dashOf(i),
  }));
  const legend = values("refusal", lines, { bars: true });
  const shown = (i) => lines.map((line) => share(line.values[i], line.key in titles ? 2 : 1));
  const title = make("p", { class: "readout" });
  title.dataset.testid = "refusal-at";
  const chosen = Math.max(0, xs.indexOf(threshold));
  const control = slider("refusal", {
    label: "Threshold",
    count: xs.length,
    first: chosen,
    says: (i) =>
      `Threshold ${xs[i]}: ${lines.map((line, k) => `${line.name} ${shown(i)[k]}`).join(", ")}`,
    move: (i) => {
      move(i);
      legend.show(shown(i), lines.map((line) => line.values[i])); // prettier-ignore
      const own = xs[i] === threshold ? ", which this model uses" : "";
      setText(title, `Rejected above ${xs[i]}${own}`);
    },
  });
  const { sheet, box: place } = panel();
  box.append(
    make(
      "div",
      { class: "beside" },
      make("div", {}, place, control.element),
      make("div", {}, title, legend.table),
    ),
    numbers(
      "refusal",
      "All thresholds as a table",
      ["threshold", ...lines.map(({ name }) => name)],
      () => xs.map((x, i) => [`${x}`, ...shown(i)]),
    ),
  );
  const rest = { height: 300, y: [0, 1], label: "rejected", unit: (value) => share(value, 0) };
  const move = lineChart(sheet, {
    ...rest,
    xs,
    lines,
    mark: threshold,
    pick: control.go,
    below: "threshold",
  });
  control.go(chosen);
}
