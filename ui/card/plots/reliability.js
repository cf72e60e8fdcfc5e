// Plot of accuracy by confidence.

import { axes, legendOf, numbers, onPoint, panel, path, slider } from "../../shared/chart.js";
import { draw, make, onWidth, setAttribute, setText } from "../../shared/dom.js";
import { share, whole } from "../../shared/numbers.js";

/** @typedef {import("../../shared/types").Plot} Plot */

const COUNTS = 36; // px: height of the bars that show the number of images

/** @type {Plot} */
export function drawReliability(box, { bins, calibration_error: error }) {
  const full = bins.filter((bin) => bin.n && bin.confidence !== null && bin.accuracy !== null);
  if (!full.length) return;
  const most = Math.max(...full.map((bin) => bin.n));
  const { sheet, box: place } = panel();
  const counts = draw("svg", {
    class: "sheet",
    width: "100%",
    height: COUNTS,
    "aria-hidden": "true",
  });
  const title = make("p", { class: "readout" });
  title.dataset.testid = "reliability-at";
  let at = null;
  let now = full.length - 1;
  const span = ({ low, high }) => `${share(low, 0)} to ${share(high, 0)}`;
  const says = (i) => {
    const { n, confidence, accuracy } = full[i];
    return `Confidence ${span(full[i])}: ${whole(n)} answers, mean confidence ${share(confidence)}, accuracy ${share(accuracy)}`;
  };
  const control = slider("reliability", {
    label: "Confidence",
    count: full.length,
    first: now,
    says,
    move: (i) => {
      now = i;
      setText(title, `${says(i)}.`);
      at?.inside
        .querySelectorAll(".bin")
        .forEach((bin, k) => bin.classList.toggle("picked", k === i));
    },
  });
  const rows = () =>
    bins.map((bin) => [span(bin), whole(bin.n), share(bin.confidence, 2), share(bin.accuracy, 2)]);
  box.append(
    make(
      "div",
      { class: "beside" },
      make("div", {}, place, counts, control.element),
      make(
        "div",
        {},
        title,
        legendOf([
          ["accuracy", "accuracy"],
          ["over", "confidence above accuracy"],
          ["under", "confidence below accuracy"],
          ["ideal", "perfect calibration"],
          ["count", "below: number of answers (square root)"],
        ]),
        make("p", { class: "note" }, `Expected calibration error: ${share(error, 2)}.`),
      ),
    ),
    numbers(
      "reliability",
      "All bins as a table",
      ["confidence", "answers", "mean confidence", "accuracy"],
      rows,
    ),
  );
  onWidth(sheet.parentElement, (width) => {
    at = axes(sheet, {
      width,
      height: Math.min(340, width),
      x: [0, 1],
      y: [0, 1],
      label: "accuracy",
      unit: (value) => share(value, 0),
      below: "confidence",
    });
    const { across, up, inside } = at;
    const bar = (className, { low, high }, from, to) => {
      const [y, tall] = [Math.min(up(from), up(to)), Math.abs(up(from) - up(to))];
      const wide = Math.max(1, across(high) - across(low) - 2);
      return draw("rect", { class: className, x: across(low) + 1, y, width: wide, height: tall });
    };
    for (const each of full) {
      const group = draw("g", { class: "bin" });
      group.append(
        bar("accuracy", each, 0, each.accuracy),
        bar(
          each.confidence > each.accuracy ? "over" : "under",
          each,
          each.accuracy,
          each.confidence,
        ),
      );
      inside.append(group);
    }
    setAttribute(counts, "viewBox", `0 0 ${width} ${COUNTS}`);
    counts.replaceChildren(
      ...full.map(({ low, high, n }) => {
        const [wide, tall] = [
          Math.max(1, across(high) - across(low) - 2),
          COUNTS * Math.sqrt(n / most),
        ];
        const place = { x: across(low) + 1, y: COUNTS - tall, width: wide, height: tall };
        return draw("rect", { class: "count", ...place });
      }),
    );
    inside.append(draw("path", { class: "ideal", d: path([[0, 0], [1, 1]], across, up) })); // prettier-ignore
    control.go(now);
  });
  onPoint(sheet, (x) => {
    const value = (x - at.left) / (at.right - at.left);
    const away = ({ low, high }) => Math.abs((low + high) / 2 - value);
    control.go(full.reduce((best, bin, i) => (away(bin) < away(full[best]) ? i : best), 0));
  });
  control.go(now);
}
