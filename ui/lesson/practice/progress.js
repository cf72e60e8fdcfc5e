// The progress of a training run: its state, curves and weights.

import { epochsText, lossText } from "./words.js";
import { figure, share, whole } from "../../shared/numbers.js";
import { make, setAttribute, setText, withTestId } from "../../shared/dom.js";
import { numbers } from "../../shared/chart.js";
import { practiceCharts } from "./charts.js";
import { practiceRuns } from "./runs.js";
import { practiceWeights } from "./weights.js";

/**
 * Show the progress of a training run. Screen readers announce its state.
 * @param {any} offer what can be chosen
 */
export function practiceProgress({ images }) {
  const state = withTestId("practice-state", make("p", { class: "state", role: "status" }));
  const bar = withTestId("practice-progress", make("progress", { "aria-label": "Progress" }));
  const epoch = make("span");
  const result = withTestId("practice-result", make("p", { class: "readout" }));
  const charts = practiceCharts();
  const table = make("div");
  const weights = practiceWeights();
  const runs = practiceRuns(images);
  const details = make(
    "div",
    { hidden: "" },
    make("div", { class: "progress" }, bar, epoch),
    result,
    charts.element,
    table,
    weights.element,
  );
  const say = (text) => setText(state, text);

  function show(training, { begins, ends }) {
    if (begins) {
      charts.begin();
      result.textContent = "";
      table.replaceChildren();
    }
    say(stateText(training, { ends }));
    if (training.val.length) showDetails(training);
    if (ends && training.val.length) showEnd(training);
  }

  function showDetails(training) {
    const { epochs } = training.settings;
    const appears = details.hidden;
    details.hidden = false;
    // Scroll to the curves, which are below the settings, when they begin to grow.
    if (appears && training.state === "training") state.scrollIntoView({ block: "start" });
    setAttribute(bar, "max", epochs);
    bar.value = training.epoch;
    setText(epoch, `epoch ${Math.min(epochs, Math.floor(training.epoch) + 1)} of ${epochs}`);
    charts.show(training);
    weights.show(training);
  }

  function showEnd({ state: how, settings, val, epoch: reached }) {
    if (how !== "failed") {
      const all = whole(images[settings.data].val);
      const right = share(val.at(-1)[2]);
      const after = epochsText(reached);
      setText(result, `Validation accuracy: ${right} of ${all} images, after ${after}`);
    }
    const heads = ["epoch", "validation loss", "accuracy"];
    const rows = () => val.map(([x, loss, right]) => [figure(x), lossText(loss), share(right)]);
    table.replaceChildren(numbers("practice", "Validation results as a table", heads, rows));
    runs.add({ how, settings, epoch: reached, accuracy: val.at(-1)[2] });
  }

  return { element: make("div", {}, state, details, runs.element), say, show };
}

function stateText({ state, message, n_before: before, val, has_network: hasNetwork }, { ends }) {
  const texts = {
    waiting: `In the queue: ${before ? `${before} ahead of you` : "you are next"}.`,
    starting: "Starting…",
    training: "Training…",
    stopping: "Stopping…",
    done: "Done.",
  };
  const older = ends && !val.length && hasNetwork ? " Your previous network is still used." : "";
  return (texts[state] ?? message) + older;
}
