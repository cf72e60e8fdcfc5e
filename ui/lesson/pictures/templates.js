// Picture of the ten templates of logistic regression.

import { SELECTED, colourKey } from "../parts.js";
import { apart } from "../weighted-sum.js";
import {
  choices,
  make,
  press,
  setAttribute,
  setBar,
  setText,
  signedBar,
  withTestId,
} from "../../shared/dom.js";
import { decimal } from "../../shared/numbers.js";
import { indexOfMost, isBlank, largest, rowsOf } from "../reading.js";
import { inkedMap, outlineOf } from "../template.js";

/** @typedef {import("../../shared/types").Picture} Picture */

/** @type {Picture} */
export function templatesPicture(box, { logistic }) {
  const rows = rowsOf(logistic);
  const maps = rows.map(inkedMap);
  const scores = rows.map((_, i) =>
    withTestId(`template-logit-${i}`, make("span", { class: "score" })),
  );
  const bars = rows.map(() => signedBar(0));
  const buttons = rows.map((_, i) =>
    withTestId(
      `template-${i}`,
      make("button", { type: "button" }, maps[i].canvas, make("b", {}, `${i}`), scores[i], bars[i]),
    ),
  );
  const grid = make("div", { class: "ten tiles" });
  const title = withTestId("template-title", make("p", { class: "readout" }));
  const sum = apart("template", "template");
  const key = colourKey([["positive", "ink here increases the logit"], ["negative", "ink here decreases it"]]); // prettier-ignore
  box.append(grid, key, title, sum.element);
  let own = null; // the template that the visitor has chosen
  let last = null;
  const show = () => {
    const { logits } = last.logistic;
    const best = indexOfMost(logits);
    const chosen = own ?? best;
    press(buttons, chosen);
    setText(title, `The template of ${chosen}${own === null ? bestOf(last) : SELECTED}`);
    sum.show(last, rows[chosen], logistic.bias[chosen], logits[chosen], `logit of ${chosen}`);
  };
  choices(grid, buttons, (i) => {
    own = own === i ? null : i;
    if (last) show();
  });
  return (reading) => {
    last = reading;
    const { logits } = reading.logistic;
    const [line, best, most] = [outlineOf(reading), indexOfMost(logits), largest(logits)];
    buttons.forEach((button, i) => {
      maps[i].show(line);
      const wins = i === best && !isBlank(reading);
      setText(scores[i], decimal(logits[i]));
      setBar(bars[i], logits[i] / (most || 1));
      button.classList.toggle("wins", wins);
      const says = `Template of ${i}, logit ${decimal(logits[i])}${wins ? ", the highest" : ""}`;
      setAttribute(button, "aria-label", says);
    });
    show();
  };
}

function bestOf(reading) {
  return isBlank(reading) ? "" : ", which fits best";
}
