// Why this digit, and why not another: each sum that makes the logit, in numbers and as pictures.

import { SIDE } from "../shared/constants.js";
import { addUp, decimal, logitName, percent, signed, timesUp, whole } from "../shared/numbers.js";
import { colour, drawLarge, drawNumbers, outline } from "../shared/pixels.js";
import { columns } from "./columns.js";
import { drawStroke } from "../shared/sketch.js";
import { listen, onReading, tell } from "../shared/events.js";
import { make, signedBar } from "../shared/dom.js";

/** @typedef {import("../shared/types").Start} Start */

function bar(label, shown, share) {
  const track = signedBar(Math.max(-1, Math.min(1, share)));
  const row = make("li", {}, make("span", {}, label), track, make("span", {}, shown));
  row.classList.toggle("cut", Math.abs(share) > 1);
  return row;
}

function showUnits(box, account) {
  const part = box.querySelector(".by-unit");
  part.hidden = !account.units.length;
  if (part.hidden) return;
  // Single units have the same digits as in the unit's table; the sum of many takes the rounding.
  const rows = account.units.map(([unit, activation, weight, other]) => [
    `unit ${unit}`,
    timesUp(weight, activation).value - timesUp(other, activation).value,
  ]);
  const single = [...rows.map(([, value]) => value), account.bias];
  const { count, sum } = account.rest;
  if (count.for) rows.push([`${whole(count.for)} more for`, sum.for]);
  if (count.against) rows.push([`${whole(count.against)} more against`, sum.against]);
  const many = [...rows.keys()].slice(account.units.length);
  rows.push(["bias", account.bias]);
  const values = rows.map(([, value]) => value);
  const { terms, total } = addUp(values, account.total, many.length ? many : undefined);
  // The sum of many units would make the bars of single units too short, so its bar is cut off.
  const most = Math.max(...single.map(Math.abs), 1e-9);
  const bars = rows.map(([name, value], i) => bar(name, terms[i], value / most));
  part.querySelector(".terms").replaceChildren(...bars);
  const written = terms.map((term, i) => (i ? signed(term) : term)).join(" ");
  part.querySelector(".equation").textContent = `${written} = ${total}`;
}

function showPixels(box, account, seen) {
  const picture = box.querySelector(".template");
  drawLarge(picture, account.template);
  outline(picture, seen);
  drawNumbers(box.querySelector(".product"), account.product);
  const { sum } = account;
  const { terms, total } = addUp([sum.for, sum.against, sum.bias], account.total);
  box.querySelector("[data-part=pixels]").textContent =
    `By pixel, template × ink: ${terms[0]} (blue) ${signed(terms[1])} (orange) ` +
    `${signed(terms[2])} (all biases) = ${total}`;
}

function showStrokes(box, account, strokes) {
  const canvas = box.querySelector(".strokes");
  const line = box.querySelector("[data-part=strokes]");
  line.hidden = !account.strokes?.length;
  canvas.parentElement.hidden = line.hidden || strokes.length < 2; // one stroke has one colour
  if (line.hidden) return;
  const brush = canvas.getContext("2d");
  brush.setTransform(canvas.width / SIDE, 0, 0, canvas.height / SIDE, 0, 0);
  brush.clearRect(0, 0, SIDE, SIDE);
  const most = Math.max(...account.strokes.map(Math.abs), 1e-9);
  strokes.forEach((stroke, i) => {
    const level = account.strokes[i] / most;
    const faint = Math.max(0.3, Math.abs(level));
    brush.strokeStyle = `rgb(${colour(Math.sign(level || 1), faint).join(" ")})`;
    drawStroke(brush, stroke);
  });
  const { terms, total } = addUp([...account.strokes, account.sum.bias], account.total);
  const named = terms.map((term, i) => {
    const name = i < strokes.length ? `stroke ${i + 1}` : "all biases";
    return `${i ? signed(term) : term} (${name})`;
  });
  line.textContent = `By stroke: ${named.join(" ")} = ${total}`;
}

// Return the difference of two logits, computed from the rounded values shown.
function gap(one, other) {
  return (Math.round(100 * one) - Math.round(100 * other)) / 100;
}

function calibration({ temperature }) {
  return (
    "Probabilities are the softmax of the ten logits, each divided by " +
    `${Number(temperature.toPrecision(4))} to calibrate them.`
  );
}

// Return a sentence about the difference between two models' answers.
function compare(readings) {
  if (readings.length < 2) return "";
  const words = readings.map(({ verdict, digit, confidence, not_a_digit, model }) => {
    if (verdict === "blank") return `${model} sees nothing drawn`;
    const share = verdict === "digit" ? confidence : not_a_digit;
    return `${model} reads ${verdict === "digit" ? digit : "not a digit"} (${percent(share)})`;
  });
  const same =
    readings[0].verdict === readings[1].verdict && readings[0].digit === readings[1].digit;
  const both = words.join(same ? ", and " : ", but ");
  return same
    ? `${both}.`
    : `${both}. Below, what each adds up for its answer against the other's.`;
}

/** @type {Start} */
export function start(element) {
  const [chosen, against] = ["chosen", "against"].map((name) =>
    element.querySelector(`[data-testid=${name}]`),
  );
  const softmax = element.querySelector(".softmax");
  const compared = element.querySelector(".verdict");
  const one = element.querySelector("template.one").content.firstElementChild;

  function showAccount(box, kind, reading, strokes) {
    if (!box.firstElementChild) {
      const fresh = one.cloneNode(true);
      for (const part of fresh.querySelectorAll("[data-part]")) {
        part.dataset.testid = `${box.dataset.testid}-${part.dataset.part}`;
      }
      box.append(fresh);
    }
    const { why, logits } = reading;
    const account = { ...why[kind] };
    if (kind === "difference") account.total = gap(logits[reading.chosen], logits[reading.against]);
    const [first, second] = [logitName(reading.chosen), logitName(reading.against)];
    const total = decimal(account.total);
    box.querySelector("h3").textContent =
      kind === "logit"
        ? `Why ${first}: its logit is ${total}`
        : account.total < 0
          ? `Why not ${first}, but ${second}: the logits differ by ${total}`
          : `Why ${first} and not ${second}: the logits differ by ${total}`;
    box.querySelector(".by-pixel-text").textContent = reading.hidden_sizes.length
      ? "Around this drawing the whole network is linear, one template:"
      : "Logistic regression has one template for every drawing:";
    showUnits(box, account);
    showPixels(box, account, reading.seen);
    showStrokes(box, account, strokes);
  }

  // Show the latest choice, even if the response to it has not arrived.
  listen("ink", ({ explained }) => {
    chosen.value = explained.chosen ?? "";
    against.value = explained.against ?? "";
    for (const option of against.options) {
      option.disabled = option.value !== "" && option.value === chosen.value;
    }
  });

  onReading(element, "why", ({ readings, request }) => {
    compared.textContent = compare(readings);
    softmax.textContent = readings.length > 1 ? "" : calibration(readings[0]);
    columns(element, readings).forEach((column, i) => {
      const blank = readings[i].verdict === "blank";
      column.classList.toggle("blank", blank);
      column.querySelector(".nothing").toggleAttribute("hidden", !blank);
      for (const box of column.querySelectorAll(".account")) {
        showAccount(box, box.getAttribute("data-account"), readings[i], request.strokes ?? []);
      }
    });
  });

  for (const [name, select] of Object.entries({ chosen, against })) {
    select.addEventListener("change", () => {
      tell("explain", { [name]: select.value === "" ? null : Number(select.value) });
    });
  }
}
