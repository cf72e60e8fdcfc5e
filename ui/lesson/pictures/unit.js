// Picture of the hidden units: weights × pixels and ReLU.

import { colourKey, coloured, heardAt, mapOf } from "../parts.js";
import { apart } from "../weighted-sum.js";
import { choices, make, press, setAttribute, setText, withTestId } from "../../shared/dom.js";
import { decimal } from "../../shared/numbers.js";
import { drawNumbers } from "../../shared/pixels.js";
import { indexOfMost, largest, rowsOf } from "../reading.js";

/** @typedef {import("../../shared/types").Picture} Picture */

const SELECTED_UNIT = ", selected. Press it again to show the most active one.";
const FAINTEST = 0.45; // brightness of the weights of an inactive unit: still visible

// Return the brightness of a unit's weights. The square root keeps small activations visible.
function brightnessOf(activation, most) {
  return activation > 0 ? FAINTEST + (1 - FAINTEST) * Math.sqrt(activation / most) : FAINTEST;
}

// Create a button with the weights of a unit, whose brightness shows the activation.
function unitTile(unit, weights) {
  const canvas = mapOf();
  const value = make("span", { class: "score" });
  const name = make("b", {}, `${unit}`);
  const button = withTestId(
    `unit-${unit}`,
    make("button", { type: "button" }, canvas, name, value),
  );
  const numbers = coloured(weights);
  let shown = null; // the brightness that the canvas shows
  const show = (activation, most) => {
    const brightness = Math.round(255 * brightnessOf(activation, most)) / 255;
    if (brightness !== shown) drawNumbers(canvas, numbers, { brightness });
    shown = brightness;
    button.classList.toggle("off", activation <= 0);
    setText(value, activation > 0 ? decimal(activation) : "off");
    const says = activation > 0 ? `activation ${decimal(activation)}` : "off";
    setAttribute(button, "aria-label", `Unit ${unit}, ${says}`);
  };
  return { button, show };
}

/** @type {Picture} */
export function unitPicture(box, { network: { layer1 } }) {
  const rows = rowsOf(layer1);
  const tiles = rows.map((weights, unit) => unitTile(unit, weights));
  const buttons = tiles.map(({ button }) => button);
  const grid = make("div", { class: "units tiles" });
  const title = withTestId("unit-title", make("p", { class: "readout" }));
  const sum = apart("unit", "weights");
  const relu = withTestId("unit-relu", make("p", { class: "sum" }));
  sum.element.append(relu);
  const since = comparison();
  const key = colourKey([["positive", "ink here increases the sum"], ["negative", "ink here decreases it"]]); // prettier-ignore
  box.append(grid, key, title, sum.element, since.element);
  let own = null; // the unit that the visitor has chosen
  let last = null;
  const show = () => {
    const { activations, pre_activations: before } = last;
    const chosen = own ?? indexOfMost(activations);
    press(buttons, chosen);
    setText(title, `Unit ${chosen}${own === null ? ", the most active" : SELECTED_UNIT}`);
    const total = sum.show(
      last,
      rows[chosen],
      layer1.bias[chosen],
      before[chosen],
      "pre-activation",
    );
    const off = activations[chosen] > 0 ? "" : ": off";
    setText(relu, `activation: max(0, ${total}) = ${decimal(activations[chosen])}${off}`);
  };
  choices(grid, buttons, (i) => {
    own = own === i ? null : i;
    if (last) show();
  });
  return (reading) => {
    last = reading;
    const most = largest(reading.activations);
    tiles.forEach((tile, i) => tile.show(reading.activations[i], most));
    since.show(reading, buttons);
    show();
  };
}

// Show which unit changed most since the drawing that the visitor compares with.
function comparison() {
  const button = make("button", { type: "button" }, "Compare with this drawing from now on");
  const text = withTestId("unit-changed", make("p"));
  let [kept, last] = [null, null];
  const show = ({ activations }, buttons) => {
    last = activations;
    if (!kept) return;
    const changes = activations.map((activation, i) => Math.abs(activation - kept[i]));
    const unit = indexOfMost(changes);
    const none = changes[unit] === 0;
    buttons.forEach((each, i) => each.classList.toggle("changed", !none && i === unit));
    const span = `from ${decimal(kept[unit])} to ${decimal(activations[unit])}`;
    setText(text, none ? "No unit has changed yet." : `Largest change: unit ${unit}, ${span}`);
  };
  heardAt(button, text);
  button.addEventListener("click", () => {
    kept = last;
    setText(text, "Now change the drawing.");
  });
  const parts = [withTestId("unit-remember", button), text];
  return { element: make("div", { class: "since" }, ...parts), show };
}
