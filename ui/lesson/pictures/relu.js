// Plot of ReLU, with a point for each hidden unit.

import { axes, onPoint, panel, slider } from "../../shared/chart.js";
import { decimal } from "../../shared/numbers.js";
import { draw, make, onWidth, setAttribute, setText, withTestId } from "../../shared/dom.js";
import { indexOfMost, largest } from "../reading.js";

/** @typedef {import("../../shared/types").Picture} Picture */

const DOT = 5; // px
const REACH_STEP = 5; // the axis changes in steps, so that it does not flicker during drawing

/** @type {Picture} */
export function reluPicture(box, { network: { layer1 } }) {
  const count = layer1.bias.length;
  const { sheet, box: place } = panel();
  withTestId("relu", place);
  const on = withTestId("relu-count", make("p", { class: "readout" }));
  const title = withTestId("relu-at", make("p", { class: "readout unit-at" }));
  const dots = Array.from({ length: count }, () => draw("circle", { r: DOT }));
  const drop = draw("path", { class: "drop" });
  let [at, reach, width, own, last] = [null, 0, 0, null, null];
  const says = (unit) => {
    if (!last) return `Unit ${unit}`;
    const z = last.pre_activations[unit];
    const off = z > 0 ? "" : ": off";
    return `Unit ${unit}: max(0, ${decimal(z)}) = ${decimal(last.activations[unit])}${off}`;
  };
  const frame = () => {
    const height = Math.min(360, Math.round((width - 56) / 2 + 58));
    const names = { label: "activation", below: "pre-activation" };
    at = axes(sheet, { width, height, x: [-reach, reach], y: [0, reach], ...names });
    const d = `M${at.across(-reach)} ${at.up(0)}H${at.across(0)}L${at.across(reach)} ${at.up(reach)}`;
    at.inside.append(draw("path", { class: "curve", d }), drop, ...dots);
  };
  const show = () => {
    if (!last || !width) return;
    const wanted = reachOf(last.pre_activations);
    if (!at || wanted > reach || wanted < reach / 2) {
      reach = wanted;
      frame();
    }
    const chosen = own ?? indexOfMost(last.activations);
    dots.forEach((dot, i) => {
      const [z, activation] = [last.pre_activations[i], last.activations[i]];
      setAttribute(dot, "cx", at.across(z).toFixed(1));
      setAttribute(dot, "cy", at.up(activation).toFixed(1));
      setAttribute(dot, "class", `${z > 0 ? "on" : "off"}${i === chosen ? " at" : ""}`);
    });
    const [x, y] = [at.across(last.pre_activations[chosen]), at.up(last.activations[chosen])];
    setAttribute(drop, "d", `M${x} ${at.bottom}V${y}H${at.left}`);
    control.set(chosen);
    setText(title, says(chosen));
    const n = last.activations.filter((activation) => activation > 0).length;
    setText(on, `${n} of ${count} are on`);
  };
  const choose = (unit) => {
    own = unit;
    show();
  };
  const control = unitSlider(count, says, choose);
  box.append(on, place, control.element, title);
  onPoint(sheet, (x) => {
    if (last && at) choose(nearestTo(x, last.pre_activations.map(at.across)));
  });
  onWidth(place, (next) => {
    [width, at] = [next, null];
    show();
  });
  return (reading) => {
    last = reading;
    show();
  };
}

function reachOf(numbers) {
  return REACH_STEP * Math.max(1, Math.ceil(largest(numbers) / REACH_STEP));
}

function nearestTo(x, places) {
  return indexOfMost(places.map((each) => -Math.abs(each - x)));
}

// Create a slider that also follows the unit that is shown.
function unitSlider(count, says, move) {
  const control = slider("relu", { label: "Unit", count, first: 0, says, move });
  const range = control.element.querySelector("input");
  const set = (unit) => {
    range.value = unit;
    setAttribute(range, "aria-valuetext", says(unit));
  };
  return { element: control.element, set };
}
