// Picture of the cross-entropy loss and its slopes.

import { DIGITS } from "../../shared/constants.js";
import { MINUS, addUp, percent, tenThousandths } from "../../shared/numbers.js";
import { axes, colourOf, panel, path } from "../../shared/chart.js";
import {
  draw,
  make,
  onWidth,
  press,
  setAttribute,
  setBar,
  setText,
  signedBar,
  withTestId,
} from "../../shared/dom.js";
import { indexOfMost, isBlank, softmax } from "../reading.js";
import { tell } from "../../shared/events.js";

/** @typedef {import("../../shared/types").Picture} Picture */

const GUESS = Math.log(10); // the loss if all digits have the same probability
const LOSS_ENDS = [5, 10, 20, 50, 100]; // the axis ends at the first of these above the loss
const CURVE = 160; // points of -log p

/** @type {Picture} */
export function lossPicture(box) {
  const buttons = DIGITS.map((digit) => {
    const button = make("button", { type: "button" }, `It is a${digit === 8 ? "n" : ""} ${digit}`);
    button.addEventListener("click", () => {
      const pressed = button.getAttribute("aria-pressed") === "true";
      tell("explain", { chosen: pressed ? null : digit });
    });
    return withTestId(`label-${digit}`, button);
  });
  const choice = withTestId("loss-label", make("p", { class: "note" }));
  const value = withTestId("loss-value", make("b"));
  const summary = make("span");
  const curve = lossCurve();
  const slopes = lossSlopes();
  box.append(
    make("div", { class: "labels", role: "group", "aria-label": "What you drew" }, ...buttons),
    choice,
    make("p", { class: "readout" }, "Loss ", value, summary),
    make("div", { class: "beside" }, curve.box, slopes.table),
    make(
      "p",
      { class: "note" },
      "A training step changes each logit in the direction opposite to its slope.",
    ),
  );
  return ({ verdict, logits, label }) => {
    const blank = isBlank({ verdict });
    const best = indexOfMost(logits);
    const right = label ?? best;
    const shares = softmax(logits, 1);
    const loss = lossOf(logits, right);
    press(buttons, label);
    setText(choice, blank ? "Draw a digit and select its label." : labelNote(label, best));
    setText(value, blank ? "–" : lossText(loss));
    setText(
      summary,
      blank ? "" : `: at T = 1, the probability of ${right} is ${percent(shares[right])}`,
    );
    curve.show(blank ? null : { share: shares[right], loss });
    slopes.show(blank ? null : shares, right);
  };
}

// Return the cross-entropy of a digit, computed from the logits so that it stays finite.
function lossOf(logits, right) {
  const most = Math.max(...logits);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0);
  return most - logits[right] + Math.log(total);
}

function lossText(loss) {
  return loss < 5e-5 ? "< 0.0001" : loss.toFixed(4); // PyTorch prints as many digits
}

function labelNote(label, best) {
  if (label === null) {
    return `You have not selected a label, so the network’s own answer, ${best}, is used.`;
  }
  const agrees = label === best ? "the network agrees" : `the network reads ${best}`;
  return `Your label is ${label}, and ${agrees}. Press the button again to remove the label.`;
}

function lossCurve() {
  const { sheet, box } = panel();
  let [width, at, end, now] = [0, null, LOSS_ENDS[0], null];
  const dot = draw("circle", { r: 6, class: "here" });
  const drop = draw("path", { class: "drop" });
  const lay = () => {
    at = axes(sheet, {
      width,
      height: 260,
      x: [0, 1],
      y: [0, end],
      label: "loss = −log p",
      below: "p, the probability of the correct digit",
    });
    const lowest = Math.exp(-end);
    const points = Array.from({ length: CURVE + 1 }, (_, i) => {
      const p = lowest + (1 - lowest) * (i / CURVE) ** 3; // closer together where the curve is steep
      return [p, -Math.log(p)];
    });
    const [x, y] = [at.across(1 / 10), at.up(GUESS)];
    at.inside.append(
      draw("path", { class: "line", d: path(points, at.across, at.up), stroke: colourOf(0) }),
      draw("circle", { cx: x, cy: y, r: 3.5, class: "guess" }),
      draw("text", { x: x + 10, y: y - 4 }, "guessing: p = 0.1, loss 2.30"),
      drop,
      dot,
    );
  };
  const show = (next) => {
    now = next;
    const wanted = LOSS_ENDS.find((each) => each >= (now?.loss ?? 0)) ?? LOSS_ENDS.at(-1);
    if (at && wanted !== end) {
      end = wanted;
      lay();
    }
    for (const part of [dot, drop]) part.style.display = now && at ? "" : "none";
    if (!now || !at) return;
    const [x, y] = [at.across(now.share), at.up(Math.min(now.loss, end))];
    setAttribute(dot, "cx", x);
    setAttribute(dot, "cy", y);
    setAttribute(drop, "d", `M${at.left} ${y}H${x}V${at.bottom}`);
  };
  onWidth(box, (next) => {
    width = next;
    lay();
    show(now);
  });
  return { box, show };
}

function lossSlopes() {
  const rows = DIGITS.map((digit) => {
    const [name, value, way] = [make("th", { scope: "row" }), make("td"), make("td")];
    const track = signedBar(0);
    withTestId(`slope-${digit}`, value);
    const bar = make("td", { class: "wide", "aria-hidden": "true" }, track);
    return { name, value, way, track, row: make("tr", {}, name, value, bar, way) };
  });
  const heads = ["digit", "slope p − y", "", "changes"].map((text) =>
    text ? make("th", { scope: "col" }, text) : make("td"),
  );
  const table = make(
    "table",
    {},
    make("thead", {}, make("tr", {}, ...heads)),
    make("tbody", {}, ...rows.map(({ row }) => row)),
  );
  withTestId("loss-slopes", table);
  const show = (shares, right) => {
    const slopes = shares?.map((share, digit) => share - (digit === right ? 1 : 0));
    const shown = slopes && slopesShown(slopes);
    rows.forEach(({ name, value, way, track, row }, digit) => {
      row.classList.toggle("winner", Boolean(shares) && digit === right);
      setText(name, `${shares && digit === right ? "▸ " : ""}${digit}`);
      setText(value, shown ? shown[digit] : "–");
      setText(way, !shown || shown[digit] === "0.0000" ? "" : digit === right ? "up" : "down");
      setBar(track, slopes ? slopes[digit] : 0);
    });
  };
  return { table, show };
}

// Round the slopes to four digits, like the loss, so that they add up to 0.
function slopesShown(slopes) {
  const { terms } = addUp(slopes.map((slope) => 100 * slope), 0, DIGITS); // prettier-ignore
  return terms.map((text) => tenThousandths(Math.round(100 * Number(text.replace(MINUS, "-")))));
}
