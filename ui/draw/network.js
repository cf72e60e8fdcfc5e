// The hidden units: all as a field of coloured squares, and the most important ones (or all, if they
// are few) as pictures of their weights. Without hidden units, the templates of the logits.

import { NOT_A_DIGIT, SIZE } from "../shared/constants.js";
import { REST, listen, onReading, tell, visibleParts } from "../shared/events.js";
import { bytes, drawNumbers, numbersOf, packed, palette } from "../shared/pixels.js";
import { columns } from "./columns.js";
import { decimal, logitName, whole } from "../shared/numbers.js";
import { make, onPointing, setAttribute, setBar, setText, signedBar } from "../shared/dom.js";

/** @typedef {import("../shared/types").Start} Start */

const COLUMNS = 48; // of squares
const LABEL = 3; // columns on the left, for the names of the bands
const GAP = 0.4; // squares between two bands
const STEPS = 5; // rows of the drawn sheet in the height of a square: GAP is two of them
const OFF = [43, 43, 48]; // a unit that ReLU cut off
const DARKEST = 0.4; // brightness of a unit that is barely active
const CALM = 0.4; // of the brightness while nothing is drawn: the activations then come from the biases alone
const REACH = 3; // squares: how far from a square a finger may point at it
const FAINT = 0.25; // of full colour: an active unit that adds almost nothing
const NEUTRAL = [96, 96, 102]; // a unit that adds nothing
const CLIP = 0.6; // of its largest weight has the full colour in a picture: most weights are far smaller

// Return the brightness of a unit, 0 to 1, from the level of its activation, 0 to 255.
function brightnessOf(level) {
  return level ? DARKEST + (1 - DARKEST) * Math.sqrt(level / 255) : 0;
}

// Describe a tile: its name, whether it is active, its brightness, and its share of the largest.
function describe(reading, unit, levels, share) {
  if (!reading.layers.length) {
    const largest = Math.max(...reading.logits.map(Math.abs), 1e-9);
    const logit = reading.logits[unit];
    const says = `Template of ${logitName(unit)}, logit ${decimal(logit)}`;
    return { name: unit === NOT_A_DIGIT ? "∅" : unit, says, brightness: 1, share: logit / largest };
  }
  const level = levels[0][unit];
  const says = `Unit ${unit}, ${level ? "active" : "inactive"}`;
  return { name: unit, says, brightness: brightnessOf(level), share };
}

function showGrid(brush, { rows }, size) {
  const line = Math.max(1, Math.round(size / 10));
  brush.fillStyle = "#000";
  for (let x = 1; x <= COLUMNS + LABEL; x += 1) {
    brush.fillRect(Math.round(x * size) - line, 0, line, brush.canvas.height);
  }
  for (const y of rows) {
    brush.fillRect(0, Math.round((y + 1) * size) - line, brush.canvas.width, line);
  }
}

function showNames(brush, { names }, size, answer) {
  brush.textBaseline = "top";
  for (const [logit, y] of names) {
    brush.fillStyle = logit === answer ? "#fff" : "#b8b8bd";
    brush.font = `${logit === answer ? "bold " : ""}${Math.round(size * 1.8)}px sans-serif`;
    brush.fillText(logit === NOT_A_DIGIT ? "∅" : logit, size / 2, (y + 0.1) * size);
  }
}

// The square root keeps small terms visible beside the largest.
function supportColour(level, colours) {
  if (!level) return packed(NEUTRAL);
  const share = Math.max(FAINT, Math.sqrt(Math.abs(level) / 127));
  return colours[127 + Math.sign(level) * Math.round(127 * share)];
}

function caption({ layers, model, verdict }) {
  if (!layers.length) {
    return `${model} has no hidden units: its eleven templates, and how each fits the ink`;
  }
  const counts = layers.map(
    ({ units, active }) => `${whole(units)} hidden units, ${whole(active)} active`,
  );
  return counts.join("; ") + (verdict === "blank" ? ": without ink, each is its bias" : "");
}

/** @type {Start} */
export function start(element, props, server) {
  const FEW = props.few; // of no more units, all are shown as pictures, and there is no field

  const tileWeights = new Map(); // "model unit" → weights
  const wanted = new Set();
  const fields = new Map(); // model → where its squares lie
  const widths = new WeakMap(); // field → px: measuring it while drawing would force a layout
  let fetching = false;
  let last = null; // the newest reading event's detail
  let colourBy = "activation"; // or "added"
  const inspected = [null, null]; // in each column: the unit that is inspected

  // Return what is shown as pictures, with the levels of the bars: units or, without any, templates.
  function shownTiles({ layers, tiles }) {
    return layers.length ? tiles : Array.from({ length: NOT_A_DIGIT + 1 }, (_, i) => [i, 0]);
  }

  function makeTile(place) {
    const tile = make("button", { type: "button" });
    tile.innerHTML = '<canvas width="28" height="28"></canvas><span class="name"></span>';
    tile.insertBefore(signedBar(0), tile.lastElementChild);
    const inspect = (_, isPress) => choose(place, Number(tile.dataset.unit), isPress);
    onPointing(tile, inspect, ["click", "pointerenter", "focus"]);
    tile.addEventListener("blur", () => tell("inspect", { place, unit: null }));
    return tile;
  }

  // A tile stands for a unit to inspect or, without hidden units, for a logit to explain.
  function choose(place, unit, isPress) {
    const reading = last.readings[place];
    if (reading.layers.length) tell("inspect", { place, layer: 0, unit, hold: isPress });
    else if (isPress) tell("explain", { chosen: unit });
  }

  function showLarge(column, reading, levels, place) {
    const units = shownTiles(reading);
    const box = column.querySelector(".large");
    box.classList.toggle("few", !reading.layers.length);
    while (box.children.length > units.length) box.lastElementChild.remove();
    while (box.children.length < units.length) box.append(makeTile(place));
    units.forEach(([unit, added], i) => {
      const tile = box.children[i];
      const about = describe(reading, unit, levels, added / 127);
      tile.dataset.unit = unit;
      setText(tile.querySelector(".name"), `${about.name}`);
      setAttribute(tile, "aria-label", about.says);
      tile.classList.toggle("off", !about.brightness);
      setBar(tile.querySelector(".track"), about.share);
      showTile(
        tile.querySelector("canvas"),
        `${reading.model} ${unit}`,
        about.brightness || DARKEST,
      );
    });
    markInspected(column, reading, place);
  }

  const drawn = new WeakMap(); // tile → what it shows
  function showTile(canvas, key, brightness) {
    const weights = tileWeights.get(key);
    if (!weights) wanted.add(key);
    const now = weights ? `${key} ${brightness.toFixed(3)}` : "";
    if (drawn.get(canvas) === now) return;
    drawn.set(canvas, now);
    if (weights) drawNumbers(canvas, weights, { brightness, full: CLIP * weights.scale });
    else canvas.getContext("2d").clearRect(0, 0, SIZE, SIZE);
  }

  function markInspected(column, reading, place) {
    const which = reading.layers.length ? inspected[place]?.unit : reading.chosen;
    for (const tile of column.querySelectorAll(".large button")) {
      const picked = Number(tile.dataset.unit) === which;
      tile.classList.toggle("picked", picked);
      setAttribute(tile, "aria-pressed", picked);
    }
  }

  async function fetchTiles() {
    if (fetching || !wanted.size) return;
    fetching = true;
    const [model] = [...wanted][0].split(" ");
    const keys = [...wanted].filter((key) => key.split(" ")[0] === model).slice(0, FEW);
    const units = keys.map((key) => Number(key.split(" ")[1]));
    try {
      const answer = await server.tiles({ model, units });
      if (!answer.error) keys.forEach((key, i) => tileWeights.set(key, answer.tiles[i]));
    } catch {
      // The sketchpad reports that the server does not respond. The next reading requests them again.
    }
    for (const key of keys) wanted.delete(key);
    if (last && tileWeights.has(keys[0])) showAll();
    setTimeout(() => {
      fetching = false;
      fetchTiles();
    }, REST);
  }

  // Return the positions of a model's squares: one or more rows for each digit that units add most to
  // or, with several layers, for each layer.
  function fieldOf({ model, layers }) {
    if (fields.has(model)) return fields.get(model);
    const bands = props.bands[model] ?? layers.map(({ units }) => [...Array(units).keys()]);
    const field = { cells: layers.map(() => []), names: [], rows: [], height: GAP };
    bands.forEach((units, band) => {
      const layer = props.bands[model] ? 0 : band;
      if (!units.length) return;
      if (props.bands[model]) field.names.push([band, field.height]);
      units.forEach((unit, i) => {
        field.cells[layer][unit] = [LABEL + (i % COLUMNS), field.height + Math.floor(i / COLUMNS)];
      });
      for (let left = units.length; left > 0; left -= COLUMNS) {
        field.rows.push(field.height);
        field.height += 1;
      }
      field.height += GAP;
    });
    fields.set(model, field);
    return field;
  }

  function showField(column, reading, levels, added, place) {
    const part = column.querySelector(".all-units");
    part.hidden = !(reading.layers.length > 1 || reading.layers[0]?.units > FEW);
    if (part.hidden) return;
    column.querySelector(".band-note").hidden = !props.bands[reading.model];
    const blank = reading.verdict === "blank";
    const canvas = part.querySelector(".field");
    const what = colourBy === "activation" ? "Activations" : "What is added by each";
    setAttribute(canvas, "aria-label", `${what} of all hidden units`);
    const field = fieldOf(reading);
    const width = Math.round((widths.get(canvas) ?? 0) * devicePixelRatio);
    if (!width) return;
    const size = width / (COLUMNS + LABEL);
    const height = Math.round(field.height * size);
    if (canvas.width !== width || canvas.height !== height) {
      [canvas.width, canvas.height] = [width, height];
    }
    const brush = canvas.getContext("2d");
    brush.clearRect(0, 0, width, height);
    brush.imageSmoothingEnabled = false;
    brush.drawImage(drawUnits(field, levels, added, blank ? CALM : 1), 0, 0, width, height);
    showGrid(brush, field, size);
    showNames(brush, field, size, blank ? null : reading.chosen);
    showMark(column, field, place);
  }

  // Draw all units on a small sheet: a square is one pixel wide and several high.
  function drawUnits({ cells, height }, levels, added, calm) {
    const sheet = new OffscreenCanvas(COLUMNS + LABEL, Math.round(height * STEPS));
    const image = new ImageData(sheet.width, sheet.height);
    const pixels = new Uint32Array(image.data.buffer);
    const colours = palette(calm);
    cells.forEach((layer, nth) => {
      const byAdded = colourBy === "added" && added && nth === cells.length - 1;
      layer.forEach(([x, y], unit) => {
        const level = levels[nth][unit];
        let shade = packed(OFF);
        if (level && byAdded) shade = supportColour(added[unit], colours);
        else if (level) shade = colours[127 + Math.round(127 * brightnessOf(level))];
        const top = Math.round(y * STEPS);
        for (let k = top; k < top + STEPS; k += 1) pixels[k * sheet.width + x] = shade;
      });
    });
    sheet.getContext("2d").putImageData(image, 0, 0);
    return sheet;
  }

  // Draw a frame around the square of the unit that is inspected.
  function showMark(column, { cells, height }, place) {
    const mark = column.querySelector(".mark");
    const cell = inspected[place] && cells[inspected[place].layer]?.[inspected[place].unit];
    mark.hidden = !cell;
    if (!cell) return;
    const wide = 100 / (COLUMNS + LABEL);
    const tall = 100 / height;
    mark.style.cssText = `left: ${cell[0] * wide}%; top: ${cell[1] * tall}%; width: ${wide}%; height: ${tall}%`;
  }

  // Return the unit whose square is nearest to the pointer.
  function unitAt(event, reading) {
    const { cells } = fieldOf(reading);
    const size = event.currentTarget.clientWidth / (COLUMNS + LABEL);
    let [nearest, found] = [REACH, null];
    cells.forEach((layer, nth) => {
      layer.forEach(([x, y], unit) => {
        const away = Math.hypot(event.offsetX / size - x - 0.5, event.offsetY / size - y - 0.5);
        if (away < nearest) [nearest, found] = [away, { layer: nth, unit }];
      });
    });
    return found;
  }

  function showLegend(column, { layers, verdict, chosen }) {
    const part = (name) => column.querySelector(name);
    const logit = verdict === "blank" ? "the answer" : logitName(chosen);
    part(".by-activation").hidden = colourBy !== "activation";
    part(".by-added").hidden = colourBy === "activation";
    part(".of-tiles").hidden = layers.length > 1;
    setText(part(".logit"), logit);
    setText(part(".affected"), layers.length ? "the unit's sum" : "the digit's logit");
    part(".grey").hidden = !layers.length;
    setText(part(".what"), layers.length ? `what the unit adds to ${logit}` : "the logit");
  }

  function tilesHeading({ layers, verdict, chosen, tiles }) {
    if (layers.length !== 1 || layers[0].units <= FEW) return "";
    if (verdict === "blank") return `${tiles.length} of the units:`;
    return `The ${tiles.length} units that matter most to ${logitName(chosen)}:`;
  }

  function showAll() {
    const hidden = last.readings.some(({ layers }) => layers.length);
    setText(element.querySelector("h2"), hidden ? "The hidden units" : "The templates");
    columns(element, last.readings).forEach((column, place) => {
      const reading = last.readings[place];
      const levels = reading.layers.map((layer) => bytes(layer.levels));
      const added = reading.added && numbersOf(reading.added);
      prepare(column, place);
      setText(column.querySelector(".caption"), caption(reading));
      setText(column.querySelector(".tiles-heading"), tilesHeading(reading));
      showLegend(column, reading);
      showField(column, reading, levels, added, place);
      showLarge(column, reading, levels, place);
    });
  }

  function prepare(column, place) {
    if (column.dataset.ready) return;
    column.dataset.ready = "yes";
    const field = column.querySelector(".field");
    onPointing(field, (event, isPress) => {
      const found = unitAt(event, last.readings[place]);
      if (found) tell("inspect", { place, ...found, hold: isPress });
    });
    new ResizeObserver(([entry]) => {
      if (widths.get(field) === entry.contentRect.width) return;
      widths.set(field, entry.contentRect.width);
      showAll();
    }).observe(field);
    const units = column.querySelector("[data-testid^=units]:not(p)");
    units.addEventListener("pointerleave", () => tell("inspect", { place, unit: null }));
    for (const choice of column.querySelectorAll("[type=radio]")) {
      choice.name = `colour-by-${place}`;
      choice.checked = choice.value === colourBy;
      choice.addEventListener("change", () => {
        colourBy = choice.value;
        if (colourBy === "added") visibleParts.add("added");
        else visibleParts.delete("added");
        for (const each of element.querySelectorAll("[type=radio]"))
          each.checked = each.value === colourBy;
        showAll();
      });
    }
  }

  // unit.js tells which unit is looked at, and describes in one line what it does.
  listen("inspected", (detail) => {
    const { place, says } = detail;
    const moved =
      inspected[place]?.unit !== detail.unit || inspected[place]?.layer !== detail.layer;
    inspected[place] = detail;
    const column = element.querySelector(".columns").children[place];
    if (!column || !last?.readings[place]) return;
    if (says !== undefined) setText(column.querySelector(".readout"), says);
    if (!moved) return;
    markInspected(column, last.readings[place], place);
    if (!column.querySelector(".all-units").hidden)
      showMark(column, fieldOf(last.readings[place]), place);
  });

  onReading(element, "layers", (detail) => {
    last = detail;
    wanted.clear();
    showAll();
    // While a stroke is drawn, the most important units change all the time: their weights can wait.
    if (!detail.request.parts) fetchTiles();
  });
}
