// The hidden units: all as a field of lights, and the ones that matter most as pictures of their
// weights; where there are few, all of them. Without hidden units, the logits' own templates.

const FEW = 64; // units that are all shown as pictures
const SHOWN = 12; // else these, the ones that add most to the answer or take most from it
const COLUMNS = 48; // of lights
const LABEL = 2; // columns before them, for the name of a band
const GAP = 0.4; // of a light, between bands
const OFF = [43, 43, 48]; // a unit that ReLU cut off
const DARKEST = 0.4; // of a unit that is just active
const CALM = 0.4; // of their brightness where nothing is drawn, and the lights are biases alone
const CLIP = 0.6; // of its largest weight has a picture's full colour: the most are far smaller

const tiles = new Map(); // "model unit" → its weights
const wanted = new Set();
const fields = new Map(); // model → where its lights lie
let fetching = false;
let last = null; // the newest reading event's detail
let lit = "activation"; // or "added"
const looked = [null, null]; // in each column: the unit that is looked at

function light(level) {
  return level ? DARKEST + (1 - DARKEST) * Math.sqrt(level / 255) : 0;
}

function shownUnits({ layers, why }) {
  if (!layers.length) return [...Array(NOT_A_DIGIT + 1).keys()];
  if (layers.length > 1) return [];
  if (layers[0].units <= FEW) return [...Array(layers[0].units).keys()];
  return why.logit.units.slice(0, SHOWN).map(([unit]) => unit);
}

function makeTile(place) {
  const tile = document.createElement("button");
  tile.type = "button";
  tile.innerHTML = '<canvas width="28" height="28"></canvas><span class="name"></span>';
  tile.insertBefore(signedBar(0), tile.lastElementChild);
  for (const kind of ["click", "pointerenter", "focus"]) {
    tile.addEventListener(kind, () => choose(place, Number(tile.dataset.unit), kind));
  }
  return tile;
}

// A tile is a unit to look at; without hidden units it is a logit, to be explained.
function choose(place, unit, kind) {
  const reading = last.readings[place];
  if (reading.layers.length) tell("look", { place, layer: 0, unit });
  else if (kind === "click") tell("explain", { chosen: unit });
}

// What a tile says: its name, whether it is lit, how brightly, and its share of the largest.
function describe(reading, unit, levels, added) {
  if (!reading.layers.length) {
    const most = Math.max(...reading.logits.map(Math.abs), 1e-9);
    const logit = reading.logits[unit];
    const says = `Template of ${logitName(unit)}, logit ${decimal(logit)}`;
    return { name: unit === NOT_A_DIGIT ? "∅" : unit, says, light: 1, share: logit / most };
  }
  const level = levels[0][unit];
  const says = `Unit ${unit}, ${level ? "active" : "cut off by ReLU"}`;
  return { name: unit, says, light: light(level), share: added[unit] / 127 };
}

function showLarge(column, reading, levels, added, place) {
  const units = shownUnits(reading);
  const box = column.querySelector(".large");
  box.classList.toggle("few", !reading.layers.length);
  while (box.children.length > units.length) box.lastElementChild.remove();
  while (box.children.length < units.length) box.append(makeTile(place));
  units.forEach((unit, i) => {
    const tile = box.children[i];
    const about = describe(reading, unit, levels, added);
    tile.dataset.unit = unit;
    tile.querySelector(".name").textContent = about.name;
    tile.setAttribute("aria-label", about.says);
    tile.classList.toggle("off", !about.light);
    tile.querySelector(".track").replaceWith(signedBar(about.share));
    showTile(tile.querySelector("canvas"), `${reading.model} ${unit}`, about.light || DARKEST);
  });
  markLooked(column, reading, place);
  fetchTiles();
}

function showTile(canvas, key, brightness) {
  const weights = tiles.get(key);
  if (weights) drawNumbers(canvas, weights, { light: brightness, full: CLIP * weights.scale });
  else {
    canvas.getContext("2d").clearRect(0, 0, SIZE, SIZE);
    wanted.add(key);
  }
}

function markLooked(column, reading, place) {
  const which = reading.layers.length ? looked[place]?.unit : reading.why.chosen;
  for (const tile of column.querySelectorAll(".large button")) {
    tile.classList.toggle("picked", Number(tile.dataset.unit) === which);
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
    if (!answer.error) keys.forEach((key, i) => tiles.set(key, answer.tiles[i]));
  } catch {
    // The sketchpad says that the server is away; the next reading asks again.
  }
  for (const key of keys) wanted.delete(key);
  fetching = false;
  if (last && tiles.has(keys[0])) showAll();
}

// Where the lights of a model lie, in lights: a row or more for each digit that units add most to,
// or, with several layers, for each layer.
function fieldOf({ model, layers }) {
  if (fields.has(model)) return fields.get(model);
  const bands = props.bands[model] ?? layers.map(({ units }) => [...Array(units).keys()]);
  const field = { cells: layers.map(() => []), names: [], at: new Map(), height: 0 };
  bands.forEach((units, band) => {
    const layer = props.bands[model] ? 0 : band;
    if (!units.length) return;
    if (field.height) field.height += GAP;
    if (props.bands[model]) field.names.push([band === NOT_A_DIGIT ? "∅" : band, field.height]);
    units.forEach((unit, i) => {
      const [x, y] = [LABEL + (i % COLUMNS), field.height + Math.floor(i / COLUMNS)];
      field.cells[layer][unit] = [x, y];
      field.at.set(`${x} ${y.toFixed(1)}`, { layer, unit });
    });
    field.height += Math.ceil(units.length / COLUMNS);
  });
  fields.set(model, field);
  return field;
}

function showField(column, reading, levels, added) {
  const part = column.querySelector(".lit");
  part.hidden = !(reading.layers.length > 1 || reading.layers[0]?.units > FEW);
  if (part.hidden) return;
  column.querySelector(".band-note").hidden = !props.bands[reading.model];
  column.querySelector(".logit").textContent =
    reading.verdict === "blank" ? "the answer" : logitName(reading.why.chosen);
  const canvas = part.querySelector(".field");
  const { cells, names, height } = fieldOf(reading);
  const width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  const size = width / (COLUMNS + LABEL);
  canvas.width = width;
  canvas.height = Math.round(height * size);
  const brush = canvas.getContext("2d");
  const calm = reading.verdict === "blank" ? CALM : 1;
  const line = Math.max(1, Math.round(size / 10));
  cells.forEach((layer, nth) => {
    const byAdded = lit === "added" && nth === cells.length - 1;
    layer.forEach(([x, y], unit) => {
      const shade = byAdded
        ? colour(bright(added[unit]), calm)
        : colour(1, calm * light(levels[nth][unit]));
      brush.fillStyle = `rgb(${(levels[nth][unit] ? shade : OFF).join(" ")})`;
      brush.fillRect(x * size, y * size, size - line, size - line);
    });
  });
  brush.fillStyle = "#fff";
  brush.font = `${Math.round(size * 1.1)}px sans-serif`;
  brush.textBaseline = "top";
  for (const [name, y] of names) brush.fillText(name, size / 2, y * size);
}

// Small terms stay visible beside the largest: a square root's shade.
function bright(level) {
  return Math.sign(level) * Math.sqrt(Math.abs(level) / 127);
}

function unitAt(event, reading) {
  const field = fieldOf(reading);
  const size = event.currentTarget.clientWidth / (COLUMNS + LABEL);
  const [x, y] = [Math.floor(event.offsetX / size), event.offsetY / size];
  for (const [key, found] of field.at) {
    const [left, top] = key.split(" ").map(Number);
    if (left === x && y >= top && y < top + 1) return found;
  }
  return null;
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

function most({ layers, verdict, why }) {
  if (layers.length !== 1 || layers[0].units <= FEW) return "";
  if (verdict === "blank") return `${SHOWN} of the units:`;
  return `The ${SHOWN} units that matter most to ${logitName(why.chosen)}:`;
}

function showAll() {
  const hidden = last.readings.some(({ layers }) => layers.length);
  element.querySelector("h2").textContent = hidden ? "The hidden units" : "The templates";
  columns(element, last.readings).forEach((column, place) => {
    const reading = last.readings[place];
    const levels = reading.layers.map((layer) => bytes(layer.levels));
    const added = reading.why.added ? new Int8Array(bytes(reading.why.added.levels).buffer) : [];
    prepare(column, place);
    column.querySelector(".caption").textContent = caption(reading);
    column.querySelector(".most").textContent = most(reading);
    showField(column, reading, levels, added);
    showLarge(column, reading, levels, added, place);
  });
}

function prepare(column, place) {
  if (column.dataset.ready) return;
  column.dataset.ready = "yes";
  const field = column.querySelector(".field");
  for (const kind of ["click", "pointermove"]) {
    field.addEventListener(kind, (event) => {
      const found = unitAt(event, last.readings[place]);
      if (found) tell("look", { place, ...found });
    });
  }
  for (const choice of column.querySelectorAll("[type=radio]")) {
    choice.name = `lit-${place}`;
    choice.checked = choice.value === lit;
    choice.addEventListener("change", () => {
      lit = choice.value;
      for (const each of element.querySelectorAll("[type=radio]"))
        each.checked = each.value === lit;
      showAll();
    });
  }
}

// Which unit is looked at, ui/unit.js says.
document.addEventListener("looked", ({ detail }) => {
  looked[detail.place] = detail;
  const column = element.querySelector(".columns").children[detail.place];
  if (column && last?.readings[detail.place]) {
    markLooked(column, last.readings[detail.place], detail.place);
  }
});

onReading(element, (detail) => {
  last = detail;
  showAll();
});

let width = 0;
new ResizeObserver(() => {
  if (last && element.clientWidth !== width) showAll();
  width = element.clientWidth;
}).observe(element);
