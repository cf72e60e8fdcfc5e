// The hidden units: the ones that matter most as pictures of their weights, all as a field of
// lights, and one of them in full.

const FEW = 64; // units that are all shown as pictures
const SHOWN = 12; // else these, the ones that add most to the answer or take most from it
const COLUMNS = 32; // of lights
const OFF = [43, 43, 48]; // a unit that ReLU cut off
const DARKEST = 0.4; // of a unit that is just active
const CLIP = 0.6; // of its largest weight has a picture's full colour: the most are far smaller

const tiles = new Map(); // "model unit" → its weights
const wanted = new Set();
let fetching = false;
let last = null; // the newest reading event's detail
const picked = [null, null]; // in each column: { layer, unit } that is looked at, or null
const own = [false, false]; // whether the visitor picked it
const asked = [0, 0]; // counts the questions about the picked unit

function light(level) {
  return level ? DARKEST + ((1 - DARKEST) * level) / 255 : 0;
}

function shownUnits({ layers, why }) {
  if (layers.length !== 1) return [];
  if (layers[0].units <= FEW) return [...Array(layers[0].units).keys()];
  return why.logit.units.slice(0, SHOWN).map(([unit]) => unit);
}

function showLarge(column, reading, levels, place) {
  const units = shownUnits(reading);
  const box = column.querySelector(".large");
  box.classList.toggle("all", units.length > SHOWN);
  while (box.children.length > units.length) box.lastElementChild.remove();
  while (box.children.length < units.length) {
    const tile = document.createElement("button");
    tile.type = "button";
    tile.innerHTML = '<canvas width="28" height="28"></canvas><span></span>';
    for (const kind of ["click", "pointerenter", "focus"]) {
      tile.addEventListener(kind, () => pick(place, 0, Number(tile.dataset.unit)));
    }
    box.append(tile);
  }
  units.forEach((unit, i) => {
    const tile = box.children[i];
    tile.dataset.unit = unit;
    tile.querySelector("span").textContent = unit;
    const active = levels[0][unit] > 0;
    tile.setAttribute("aria-label", `Unit ${unit}, ${active ? "active" : "cut off by ReLU"}`);
    tile.classList.toggle("off", !active);
    tile.classList.toggle("picked", picked[place]?.unit === unit);
    const canvas = tile.querySelector("canvas");
    const weights = tiles.get(`${reading.model} ${unit}`);
    const brightness = light(levels[0][unit]) || DARKEST;
    if (weights) drawNumbers(canvas, weights, { light: brightness, full: CLIP * weights.scale });
    else {
      canvas.getContext("2d").clearRect(0, 0, SIZE, SIZE);
      wanted.add(`${reading.model} ${unit}`);
    }
  });
  fetchTiles();
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

// All hidden layers that are not pictures, one block of lights under the other.
function showField(column, reading, levels) {
  const field = column.querySelector(".field");
  const many = reading.layers.length > 1 || reading.layers[0]?.units > FEW;
  field.hidden = !many;
  if (!many) return;
  const width = Math.max(1, Math.round(field.clientWidth * devicePixelRatio));
  const size = width / COLUMNS;
  const rows = levels.map((layer) => Math.ceil(layer.length / COLUMNS));
  const gap = Math.round(size / 2);
  field.width = width;
  field.height = Math.round(rows.reduce((sum, count) => sum + count * size + gap, -gap));
  const brush = field.getContext("2d");
  let top = 0;
  levels.forEach((layer, nth) => {
    layer.forEach((level, i) => {
      const [x, y] = [(i % COLUMNS) * size, top + Math.floor(i / COLUMNS) * size];
      brush.fillStyle = `rgb(${(level ? colour(1, light(level)) : OFF).join(" ")})`;
      brush.fillRect(x, y, size - 1, size - 1);
    });
    top += rows[nth] * size + gap;
  });
}

function unitAt(event, reading) {
  const field = event.currentTarget;
  const size = field.clientWidth / COLUMNS;
  const gap = size / 2;
  let y = event.offsetY;
  for (const [layer, { units }] of reading.layers.entries()) {
    const height = Math.ceil(units / COLUMNS) * size;
    if (y < height) {
      const unit = Math.floor(y / size) * COLUMNS + Math.floor(event.offsetX / size);
      return unit >= 0 && unit < units ? { layer, unit } : null;
    }
    y -= height + gap;
  }
  return null;
}

function exists(reading, place) {
  return (
    place !== null && place.unit >= 0 && place.unit < (reading.layers[place.layer]?.units ?? 0)
  );
}

// The unit that matters most is looked at until another is picked.
function first({ layers, why }) {
  return layers.length && why.logit.units.length
    ? { layer: layers.length - 1, unit: why.logit.units[0][0] }
    : null;
}

function pick(place, layer, unit) {
  const reading = last?.readings[place];
  if (!reading || !exists(reading, { layer, unit })) return;
  if (own[place] && picked[place]?.unit === unit && picked[place]?.layer === layer) return;
  picked[place] = { layer, unit };
  own[place] = true;
  showAll();
}

// Ask for the picked unit's account of the drawing that is shown: only the newest answer counts.
async function showPicked(column, place) {
  const { layer, unit } = picked[place] ?? {};
  const reading = last.readings[place];
  const detail = column.querySelector(".detail");
  column.querySelector(".pick").hidden = reading.layers.length === 0;
  detail.hidden = !exists(reading, picked[place]);
  asked[place] += 1;
  if (detail.hidden) return;
  const mine = asked[place];
  const { strokes, picture } = last.asks;
  try {
    const account = await server.account({ model: reading.model, strokes, picture, layer, unit });
    if (mine === asked[place] && !account.error)
      showUnit(column, reading, { layer, unit }, account);
  } catch {
    // as above
  }
}

function showUnit(column, reading, { layer, unit }, account) {
  const part = (name) => column.querySelector(name);
  const where = reading.layers.length > 1 ? ` of hidden layer ${layer + 1}` : "";
  part("h3").textContent = `Unit ${unit}${where}`;
  part(".pick input").value = unit;
  part(".pick input").max = reading.layers[layer].units - 1;
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
  const reach = Math.max(1, Math.abs(sum.total));
  part(".dot").setAttribute("cx", sum.total / reach);
  part(".dot").setAttribute("cy", -account.activation / reach);
  const rows = account.outgoing.map((weight, i) => {
    const row = document.createElement("tr");
    for (const text of [logitName(i), weight.toFixed(4), account.added[i].toFixed(4)]) {
      row.insertCell().textContent = text.replace("-", MINUS);
    }
    row.classList.toggle("chosen", i === reading.why.chosen);
    return row;
  });
  part("tbody").replaceChildren(...rows);
}

function showAll() {
  columns(element, last.readings.length).forEach((column, place) => {
    const reading = last.readings[place];
    const levels = reading.layers.map((layer) => bytes(layer.levels));
    prepare(column, place);
    if (!exists(reading, picked[place])) own[place] = false;
    if (!own[place]) picked[place] = first(reading);
    column.querySelector(".caption").textContent = reading.layers.length
      ? reading.layers.map((l) => `${l.units} hidden units, ${l.active} active`).join("; ")
      : `${reading.model} has no hidden units: each pixel adds to the ten logits directly`;
    showLarge(column, reading, levels, place);
    showField(column, reading, levels);
    showPicked(column, place);
  });
}

function prepare(column, place) {
  if (column.dataset.ready) return;
  column.dataset.ready = "yes";
  const field = column.querySelector(".field");
  for (const kind of ["click", "pointermove"]) {
    field.addEventListener(kind, (event) => {
      const found = unitAt(event, last.readings[place]);
      if (found) pick(place, found.layer, found.unit);
    });
  }
  const number = column.querySelector(".pick input");
  number.addEventListener("change", () =>
    pick(place, picked[place]?.layer ?? 0, number.valueAsNumber),
  );
}

onReading(element, (detail) => {
  last = detail;
  showAll();
});

let width = 0;
new ResizeObserver(() => {
  if (last && element.clientWidth !== width) showAll();
  width = element.clientWidth;
}).observe(element);
