// One hidden unit: its sum, its ReLU, and what it adds to each logit.

import { addUp, decimal, logitName, signed, tenThousandths, timesUp } from "../shared/numbers.js";
import { columns } from "./columns.js";
import { drawNumbers, drawSeen } from "../shared/pixels.js";
import { listen, onReading, tell } from "../shared/events.js";
import { make, signedBar } from "../shared/dom.js";

/** @typedef {import("../shared/types").Start} Start */

function exists({ hidden_sizes }, place) {
  return place !== null && place.unit >= 0 && place.unit < (hidden_sizes[place.layer] ?? 0);
}

function isSame(one, other) {
  return one?.layer === other?.layer && one?.unit === other?.unit;
}

// The unit that matters most is shown until another is picked.
function first({ hidden_sizes, unit }) {
  return unit && { layer: hidden_sizes.length - 1, unit: unit.strongest };
}

function showUnit(column, reading) {
  const account = reading.unit;
  const { layer, unit } = account;
  const part = (name) => column.querySelector(name);
  const where = reading.hidden_sizes.length > 1 ? ` of hidden layer ${layer + 1}` : "";
  part("h3").textContent = `Unit ${unit}${where}`;
  const number = part(".pick input");
  if (document.activeElement !== number) number.value = unit; // else it is being typed in
  number.max = reading.hidden_sizes[layer] - 1;
  drawNumbers(part(".weights"), account.weights);
  drawSeen(part(".map.ink"), reading.seen);
  drawNumbers(part(".product"), account.product);
  const { sum } = account;
  const { terms, total } = addUp([sum.for, sum.against, sum.bias], sum.total);
  const [against, bias] = terms.slice(1).map(signed);
  part("[data-testid^=unit-sum]").textContent =
    `weights · ink + bias: ${terms[0]} (blue) ${against} (orange) ${bias} (bias) = ${total}`;
  const activation = decimal(account.activation);
  part("[data-testid^=unit-relu]").textContent =
    `ReLU: max(0, ${total}) = ${activation}` + (account.activation > 0 ? "" : ": cut off");
  showPoint(part, sum.total, account.activation);
  showOutgoing(part("table"), account, reading.chosen);
}

function showPoint(part, z, activation) {
  const reach = Math.max(1, Math.abs(z));
  const [x, y] = [z / reach, -activation / reach];
  part(".dot").setAttribute("cx", x);
  part(".dot").setAttribute("cy", y);
  part(".drop").setAttribute("d", `M${x} 0V${y}H0`);
  part(".z").textContent = `z = ${decimal(z)}`;
  part(".z").setAttribute("x", x);
  part(".z").setAttribute("text-anchor", z < 0 ? "start" : "end");
}

function showOutgoing(table, { outgoing, activation }, chosen) {
  const shown = outgoing.map((weight) => timesUp(weight, activation));
  const most = Math.max(...shown.map(({ value }) => Math.abs(value)), 1e-9);
  const rows = shown.map(({ weight, product, value }, i) => {
    const cells = [logitName(i), weight, product, signedBar(value / most)];
    const row = make("tr", {}, ...cells.map((cell) => make("td", {}, cell)));
    row.classList.toggle("chosen", i === chosen);
    return row;
  });
  table.tBodies[0].replaceChildren(...rows);
  const factor = tenThousandths(Math.round(1e4 * activation));
  table.querySelector(".factor").textContent = `× ${factor} =`;
}

/** @type {Start} */
export function start(element, props, server) {
  let last = null; // the newest reading event's detail
  const picked = [null, null]; // in each column: { layer, unit } that is inspected, or null
  const own = [false, false]; // whether the visitor picked it
  const held = [false, false]; // whether it stays while the pointer moves over others
  const requesting = [false, false]; // whether a request for the picked unit is in progress
  const again = [false, false]; // whether to request it again, for the newest drawing

  // Pointing at a unit shows it until another is pointed at. A press holds a unit; a second press
  // releases it.
  listen("inspect", ({ place, layer, unit, hold }) => {
    if (unit === null) {
      release(place);
      return;
    }
    const reading = last?.readings[place];
    if (!reading || !exists(reading, { layer, unit })) return;
    const same = own[place] && isSame(picked[place], { layer, unit });
    if (hold) held[place] = !(same && held[place]);
    else if (same || held[place]) return;
    picked[place] = { layer, unit };
    own[place] = true;
    show(place);
  });

  // Return to the unit that matters most, unless one is held.
  function release(place) {
    if (held[place] || !own[place]) return;
    own[place] = false;
    if (last?.readings[place]) show(place);
  }

  listen("cleared", () => {
    held.fill(false);
    own.fill(false);
  });

  // Show the picked unit. If the reading explains another one, request it, one request at a
  // time.
  async function showPicked(column, place) {
    const reading = last.readings[place];
    const detail = column.querySelector(".detail");
    const none = reading.hidden_sizes.length === 0;
    column.querySelector(".pick").hidden = none;
    column.querySelector(".none").hidden = !none;
    if (none) column.querySelector("h3").textContent = "";
    detail.hidden = !exists(reading, picked[place]);
    // Without ink there is little to see, unless the visitor picks a unit.
    detail.classList.toggle("calm", reading.verdict === "blank" && !own[place]);
    again[place] = requesting[place];
    if (detail.hidden) return;
    if (isSame(reading.unit, picked[place])) {
      showUnit(column, reading);
      tellInspected(place, inShort(reading, place));
      return;
    }
    if (requesting[place]) return;
    const { strokes, picture } = last.request;
    const asked = { ...picked[place] };
    requesting[place] = true;
    try {
      const account = await server.account({ model: reading.model, strokes, picture, ...asked });
      if (!account.error) {
        reading.unit = { ...reading.unit, ...asked, ...account };
        again[place] = true; // show it, or request the unit that was picked meanwhile
      }
    } catch {
      // The sketchpad reports that the server does not respond. The next reading requests it again.
    }
    requesting[place] = false;
    if (again[place]) showPicked(column, place);
  }

  function tellInspected(place, says) {
    tell("inspected", { place, ...picked[place], own: own[place], says });
  }

  function inShort({ verdict, chosen, unit }, place) {
    const { sum, activation, outgoing } = unit;
    const { product } = timesUp(outgoing[chosen], activation);
    const acts = activation > 0 ? `activation ${decimal(activation)}` : "inactive: 0 after ReLU";
    const adds = verdict === "blank" ? "" : `, adds ${product} to ${logitName(chosen)}`;
    const how = held[place] ? "held: press it again to let go" : "press to hold";
    return `Unit ${unit.unit}: sum ${decimal(sum.total)}, ${acts}${adds} (${how})`;
  }

  function show(place) {
    const column = columns(element, last.readings)[place];
    const reading = last.readings[place];
    prepare(column, place);
    if (!exists(reading, picked[place])) own[place] = held[place] = false;
    if (!own[place]) picked[place] = first(reading);
    tellInspected(place, picked[place] ? undefined : "");
    showPicked(column, place);
  }

  function prepare(column, place) {
    if (column.dataset.ready) return;
    column.dataset.ready = "yes";
    const number = column.querySelector(".pick input");
    number.addEventListener("change", () => {
      held[place] = false;
      const layer = picked[place]?.layer ?? 0;
      tell("inspect", { place, layer, unit: number.valueAsNumber, hold: true });
      number.value = picked[place]?.unit ?? 0; // there may be no unit of that number
    });
  }

  onReading(element, "unit", (detail) => {
    last = detail;
    last.readings.forEach((_, place) => show(place));
  });
}
