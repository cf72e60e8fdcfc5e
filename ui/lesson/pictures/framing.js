// Picture of the preprocessing, stage by stage.

import { MINUS, percent, whole } from "../../shared/numbers.js";
import { SIZE } from "../../shared/constants.js";
import { drawSeen } from "../../shared/pixels.js";
import { isBlank } from "../reading.js";
import { make, setAttribute, setText, withTestId } from "../../shared/dom.js";

/** @typedef {import("../../shared/types").Picture} Picture */

const STAGES = {
  "as drawn": "As drawn: the whole sketchpad, reduced",
  polarity: "Polarity: ink is 1, paper and everything else is 0",
  box: "Bounding box: centred",
  scale: "Scale: the longer side of the box is 20 px",
  "centre of mass": "Centre of mass: centred instead of the box",
  "drawn anew": "Drawn again: the strokes at a fixed size and stroke width, then preprocessed",
};

/** @type {Picture} */
export function framingPicture(box, { figures, network }) {
  const { framing: measured, drawings } = figures.lesson;
  const models = ["mlp-1024", network.name];
  const stages = Object.entries(STAGES).map(([name, words], i) => {
    const shares = models.map((model) => stageShares(measured, drawings, i, model));
    return framingStage({ name, words, i, models, shares });
  });
  const rows = make("ol", {}, ...stages.map(({ item }) => item));
  box.append(rows, make("p", { class: "note" }, framingNote(drawings)));
  return ({ verdict, stages: seen }) => {
    stages.forEach(({ item, canvas, reads }, i) => {
      item.hidden = i >= seen.length; // a picture has no sixth stage
      if (item.hidden) return;
      const { pixels, digit, confidence } = seen[i];
      drawSeen(canvas, pixels);
      setText(reads, isBlank({ verdict }) ? "–" : `reads ${digit} · ${percent(confidence)}`);
    });
  };
}

function framingNote({ n, writers, places }) {
  return `Bars: accuracy on ${whole(n)} drawings by ${writers} people, each drawn at ${places} positions and sizes on the sketchpad (${whole(n * places)} images).`;
}

// Return the share of a stage and its gain over the stage before, as rounded for display.
function stageShares(measured, { n, places }, i, model) {
  const all = n * places;
  const right = (name) => Math.round(all * measured[name][model]); // the exact count, so that nothing is rounded twice
  const shares = Object.keys(STAGES).map((name) => Math.round((1000 * right(name)) / all));
  return { now: shares[i], added: i ? shares[i] - shares[i - 1] : null };
}

function tenths(count) {
  return `${(Math.abs(count) / 10).toFixed(1)}`;
}

function framingStage({ name, words, i, models, shares }) {
  const canvas = make("canvas", { width: SIZE, height: SIZE, class: "map", role: "img" });
  setAttribute(canvas, "aria-label", `Your drawing: ${name}`);
  const reads = withTestId(`stage-reads-${i}`, make("b"));
  const [title, ...rest] = words.split(": ");
  const bars = shares.map((each, k) => stageBar(models[k], each, i));
  const item = make(
    "li",
    {},
    make("p", { class: "title" }, `${i + 1}. ${title}`),
    make("p", { class: "note" }, rest.join(": ")),
    canvas,
    reads,
    ...bars,
  );
  return { item: withTestId(`stage-${i}`, item), canvas, reads };
}

function stageBar(model, { now, added }, i) {
  const value = withTestId(`stage-share-${i}-${model}`, make("span", {}, `${tenths(now)} %`));
  const sign = added < 0 ? MINUS : "+";
  const words = added === null ? "" : `${sign} ${tenths(added)} points`;
  const gain = withTestId(`stage-added-${i}-${model}`, make("span", { class: "gain" }, words));
  const level = make("i", { style: `width: ${now / 10}%` });
  const bar = make("span", { class: "level", "aria-hidden": "true" }, level);
  return make("div", { class: "read" }, make("span", {}, model), value, bar, gain);
}
