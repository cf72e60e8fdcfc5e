// Plot of the hidden units' weights.

import { DIGITS, NOT_A_DIGIT, SIZE } from "../../shared/constants.js";
import { decimal, logitName, whole } from "../../shared/numbers.js";
import { drawLarge, drawNumbers } from "../../shared/pixels.js";
import { legendOf } from "../../shared/chart.js";
import {
  make,
  roving,
  setAttribute,
  setBar,
  setText,
  signedBar,
  wideOf,
} from "../../shared/dom.js";

/** @typedef {import("../../shared/types").Plot} Plot */

/** @type {Plot} */
export function drawHidden(box, { templates, of, units, tiles, favourites, outgoing }) {
  const most = outgoing ? Math.max(...outgoing.flat().map(Math.abs), 1e-9) : 1;
  const title = make("p", { class: "readout" });
  title.dataset.testid = "hidden-at";
  const grid = make("div", { class: templates ? "tiles few" : "tiles" });
  const buttons = units.map((unit, i) => {
    const canvas = make("canvas", { width: SIZE, height: SIZE });
    drawNumbers(canvas, tiles[i], { full: 0.6 * tiles[i].scale });
    const name = templates ? logitName(unit) : `Unit ${unit}`;
    const button = make("button", { type: "button", "aria-label": name }, canvas);
    button.dataset.testid = `hidden-${unit}`;
    if (favourites) button.append(make("span", {}, `${favourites[i]}`));
    return button;
  });
  grid.append(...buttons);
  const large = make("canvas", {
    width: 196,
    height: 196,
    class: "map",
    role: "img",
    "aria-label": "",
  });
  const bars = outgoing ? DIGITS.concat(NOT_A_DIGIT).map((logit) => {
    const value = make("td");
    value.dataset.testid = `hidden-to-${logit}`;
    const name = make("th", { scope: "row" }, logit === NOT_A_DIGIT ? "∅" : `${logit}`);
    return make("tr", {}, name, value, make("td", { class: "wide", "aria-hidden": "true" }, signedBar(0)));
  }) : []; // prettier-ignore
  const table = make("table", { class: "values" });
  if (outgoing)
    table.append(make("caption", {}, "Its weight to each logit"), make("tbody", {}, ...bars));
  const look = (i) => {
    buttons.forEach((button, k) => setAttribute(button, "aria-pressed", k === i));
    drawLarge(large, tiles[i]);
    setText(title, accountOf(i));
    setAttribute(large, "aria-label", `The weights of ${buttons[i].getAttribute("aria-label")}`);
    bars.forEach((row, logit) => {
      setText(row.children[1], decimal(outgoing[i][logit]));
      setBar(row.querySelector(".track"), outgoing[i][logit] / most);
    });
  };
  const accountOf = (i) => {
    if (templates)
      return `Template of ${logitName(units[i])}. Ink on positive weights increases its logit, ink on negative weights decreases it.`;
    if (!outgoing) return `Unit ${units[i]} of the first layer.`;
    const order = [...outgoing[i].keys()].sort((a, b) => outgoing[i][b] - outgoing[i][a]);
    return `Unit ${units[i]}: its largest weight is to ${logitName(order[0])}, its smallest to ${logitName(order.at(-1))}.`;
  };
  roving(buttons, wideOf(grid), look);
  const shown =
    units.length < of
      ? `: the ${units.length} of ${whole(of)} with the largest outgoing weights`
      : "";
  const note = templates ? "One template for each digit." : `Hidden units${shown}.`;
  const colours = legendOf([["positive", "ink increases the sum"], ["negative", "ink decreases it"]]); // prettier-ignore
  const head = make("div", { class: "large" }, large, colours);
  box.append(
    make("p", { class: "note" }, `${note} Point at one, or use the arrow keys.`),
    make("div", { class: "beside" }, grid, make("div", {}, head, title, table)),
  );
  look(0);
}
