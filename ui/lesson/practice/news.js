// The progress of a training: its state, curves and weights.

import { epochsOf, lossText } from "./words.js";
import { figure, share, whole } from "../../shared/numbers.js";
import { make, setAttribute, setText, tested } from "../../shared/dom.js";
import { numbers } from "../../shared/chart.js";
import { practiceCharts } from "./charts.js";
import { practiceRuns } from "./runs.js";
import { practiceTiles } from "./tiles.js";

/**
 * Show how a training goes: its state in words, which is read aloud, its curves and its weights.
 * @param {any} offer what can be chosen
 */
export function practiceNews({ images }) {
  const state = tested("practice-state", make("p", { class: "state", role: "status" }));
  const bar = tested("practice-progress", make("progress", { "aria-label": "Progress" }));
  const epoch = make("span");
  const charts = practiceCharts();
  const tiles = practiceTiles();
  const result = tested("practice-result", make("p", { class: "readout" }));
  const fold = make("div");
  const runs = practiceRuns(images);
  const seen = make(
    "div",
    { hidden: "" },
    make("div", { class: "progress" }, bar, epoch),
    result,
    charts.element,
    fold,
    tiles.element,
  );
  const say = (text) => setText(state, text);

  function begin() {
    charts.begin();
    result.textContent = "";
    fold.replaceChildren();
  }

  function show(training, points) {
    const { epoch: at, epochs } = training;
    say(stateOf(training));
    const appears = seen.hidden && points.val.length > 0;
    seen.hidden = !points.val.length;
    // Scroll to the curves, which are below the settings, when they begin to grow.
    if (appears && training.state === "training") state.scrollIntoView({ block: "start" });
    setAttribute(bar, "max", epochs);
    bar.value = at;
    setText(epoch, `epoch ${Math.min(epochs, Math.floor(at) + 1)} of ${epochs}`);
    charts.show(points, training.settings);
    tiles.show(training, points);
  }

  function end(training, points) {
    if (!points.val.length) {
      if (training.has_network) say(`${stateOf(training)} Your earlier network reads on.`);
      return;
    }
    const { state: how, settings } = training;
    if (how !== "failed") result.textContent = resultOf(training, images[settings.data]);
    const heads = ["epoch", "validation loss", "accuracy"];
    const rows = () =>
      points.val.map(([x, loss, right]) => [figure(x), lossText(loss), share(right)]);
    fold.replaceChildren(numbers("practice", "All validations as a table", heads, rows));
    runs.add(training);
  }

  const element = make("div", {}, state, seen, runs.element);
  return { element, say, begin, show, end };
}

function stateOf({ state, message, place }) {
  const next = place > 1 ? `${place - 1} before you` : "you are next";
  const own = {
    waiting: `Waiting for a free place: ${next}.`,
    starting: "Starting…",
    training: "Training…",
    done: "Done.",
  };
  return own[state] ?? message;
}

function resultOf({ val_accuracy: right, epoch }, { val }) {
  return `${share(right)} of the ${whole(val)} images set apart are read right, after ${epochsOf(epoch)}`;
}
