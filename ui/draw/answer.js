// The answer of each model: in words, as bars, and the picture that the model got.

import { NOT_A_DIGIT } from "../shared/constants.js";
import { columns } from "./columns.js";
import { decimal, logitName, percent, whole } from "../shared/numbers.js";
import { drawSeen } from "../shared/pixels.js";
import { make, setAttribute, setText } from "../shared/dom.js";
import { listen, tell } from "../shared/events.js";

/** @typedef {import("../shared/types").Start} Start */

const UNDER = 0.0005; // a smaller share would be shown as 0.0 %

function showAnswer(column, { verdict, digit, confidence, not_a_digit, probabilities }) {
  const answer = column.querySelector("output");
  const words = { digit: `${digit}`, not_a_digit: "not a digit", blank: "nothing drawn" };
  const shares = { digit: percent(confidence), not_a_digit: percent(not_a_digit), blank: "" };
  answer.className = verdict;
  setText(answer.querySelector("b"), words[verdict]);
  setText(answer.querySelector(".confidence"), shares[verdict]);
  const runnerUp = column.querySelector(".runner-up");
  if (verdict === "blank") {
    setText(runnerUp, "");
    return;
  }
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
  const share = (i) =>
    probabilities[order[i]] < UNDER ? "under 0.1 %" : percent(probabilities[order[i]]);
  runnerUp.textContent =
    verdict === "digit"
      ? `The runner-up is ${order[1]}, ${share(1)}.`
      : `The most probable digit would be ${order[0]}.`;
}

function showRows(column, { verdict, digit, probabilities, not_a_digit, logits }, request) {
  column.querySelector(".bars").classList.toggle("rejected", verdict === "not_a_digit");
  const blank = verdict === "blank";
  for (const row of column.querySelectorAll("[data-logit]")) {
    const logit = Number(row.dataset.logit);
    const share = logit === NOT_A_DIGIT ? not_a_digit : probabilities?.[logit];
    const told = blank ? "–" : percent(share);
    const read = verdict === "not_a_digit" ? NOT_A_DIGIT : digit;
    row.classList.toggle("read", logit === read);
    row.classList.toggle("explained", request.chosen === logit && !blank);
    row.querySelector(".level").style.width = blank ? "0" : `${100 * share}%`;
    setText(row.querySelector(".share"), told);
    setText(row.querySelector(".logit"), blank ? "–" : decimal(logits[logit]));
    setAttribute(row, "aria-label", `${logitName(logit)}: ${told}. Explain it`);
    setAttribute(row, "aria-pressed", request.chosen === logit && !blank);
  }
}

// Say what pressing a row does, with links to the explanation and back.
function showPress(column, reading, request) {
  const press = column.querySelector(".press");
  const blank = reading.verdict === "blank";
  const chosen = blank || request.chosen === null ? "" : logitName(reading.chosen);
  if (press.dataset.chosen === chosen) return;
  press.dataset.chosen = chosen;
  if (!chosen) {
    press.textContent = "Select a row to see what its logit consists of.";
    return;
  }
  const link = make("a", { href: "#why" }, `Why ${chosen}, or why not: below`);
  link.addEventListener("click", (event) => {
    event.preventDefault(); // the address may hold a drawing
    document.getElementById("why").scrollIntoView();
  });
  const back = make("button", { type: "button" }, "Back to the answer");
  back.addEventListener("click", () => tell("explain", { chosen: null }));
  press.replaceChildren(link, " ", back);
}

// How each kind of removed region is called, one and several.
const REMOVED = {
  edge: ["an edge", "edges"],
  frame: ["a frame", "frames"],
  neighbour: ["part of a neighbour", "parts of neighbours"],
  ruling: ["ruled lines", "ruled lines"],
  shadow: ["a shadow", "shadows"],
  speck: ["a speck", "specks"],
  tap: ["a stray dot", "stray dots"],
};

function removedNote(removed) {
  if (!removed.length) return "";
  const names = Object.entries(REMOVED).flatMap(([kind, [one, several]]) => {
    const count = removed.filter((region) => region.kind === kind).length;
    return count ? [count === 1 ? one : several] : [];
  });
  return ` Left out (orange): ${names.join(", ")}.`;
}

function showFrame(column, { frame, verdict }) {
  const note = column.querySelector(".note");
  if (verdict === "blank" || !frame) {
    setText(note, verdict === "blank" ? "" : "A dot is drawn as large as a digit.");
    return;
  }
  const [x, y] = frame.shift.map(decimal);
  const drawn = frame.pen ? "redrawn with MNIST's usual stroke width, " : "";
  note.textContent =
    `Made as MNIST was: the ink (dashed) is ${drawn}scaled by ${frame.scale.toPrecision(3)} to fit ` +
    `20 × 20 pixels, and moved by ${x} across and ${y} down, ` +
    (frame.centred
      ? "so that its centre of mass (+) is in the middle."
      : "its centre of mass (+) as near to the middle as it fits.") +
    removedNote(frame.removed);
}

function describe({ model, hidden_sizes }) {
  const sizes = [784, ...hidden_sizes, 10].map(whole).join(" → ");
  return `${model}: ${sizes}${hidden_sizes.length ? "" : ", logistic regression"}`;
}

/** @type {Start} */
export function start(element) {
  listen("reading", (detail) => {
    columns(element, detail.readings).forEach((column, i) => {
      const reading = detail.readings[i];
      setText(column.querySelector(".model"), describe(reading));
      showAnswer(column, reading);
      showRows(column, reading, detail.request);
      showPress(column, reading, detail.request);
      drawSeen(column.querySelector("canvas"), reading.seen);
      showFrame(column, reading);
    });
  });

  element.addEventListener("click", (event) => {
    const row = event.target.closest("[data-logit]");
    if (row) tell("explain", { chosen: Number(row.dataset.logit) });
  });

  columns(element, [{ model: "" }]);
  tell("joined");
}
