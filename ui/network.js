// Draw each reading: the answer, its probabilities, the 28 × 28, and the hidden units.

const COLUMNS = 32; // of tiles; fewer units than that are drawn larger
const FEW = 8; // columns for up to 64 units
const OFF = [38, 38, 43]; // a unit that ReLU cut off
const LOW = [74, 58, 16]; // a unit that is just active …
const HIGH = [240, 180, 41]; // … and the most active one

const answer = element.querySelector("[data-testid=answer]");
const seen = element.querySelector("[data-testid=seen]");
const units = element.querySelector("[data-testid=units]");
const caption = element.querySelector("[data-testid=units-caption]");
const rows = [...element.querySelectorAll(".row")];

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

// Rounding must not turn a high probability into certainty.
function percent(share) {
  return share > 0.9995 && share < 1 ? "> 99.9 %" : `${(100 * share).toFixed(1)} %`;
}

function showAnswer({ verdict, digit, confidence, not_a_digit }) {
  const words = { digit: `${digit}`, not_a_digit: "not a digit", blank: "nothing drawn" };
  answer.className = verdict;
  answer.querySelector("b").textContent = words[verdict];
  const shares = { digit: percent(confidence), not_a_digit: percent(not_a_digit), blank: "" };
  answer.querySelector(".confidence").textContent = shares[verdict];
}

function showProbabilities({ digit, probabilities }) {
  rows.forEach((row, i) => {
    row.classList.toggle("read", i === digit);
    row.querySelector(".bar").style.width = probabilities ? `${100 * probabilities[i]}%` : "0";
    row.querySelector(".share").textContent = probabilities ? percent(probabilities[i]) : "–";
  });
}

function showSeen({ seen: ink }) {
  const image = new ImageData(28, 28);
  bytes(ink).forEach((value, i) => image.data.set([value, value, value, 255], 4 * i));
  seen.getContext("2d").putImageData(image, 0, 0);
}

// All hidden layers, one block of tiles under the other.
function showUnits({ layers, model }) {
  const activations = layers.map((text) => new Float32Array(bytes(text).buffer));
  const grids = activations.map((layer) => {
    const columns = layer.length > FEW * FEW ? COLUMNS : FEW;
    return { layer, columns, rows: Math.ceil(layer.length / columns) };
  });
  const width = Math.max(1, Math.round(units.clientWidth * devicePixelRatio));
  const gap = Math.round(6 * devicePixelRatio);
  const size = (grid) => Math.min(width / grid.columns, 48 * devicePixelRatio);
  units.width = width;
  units.height = grids.reduce((sum, grid) => sum + grid.rows * size(grid) + gap, 0) || 1;
  const brush = units.getContext("2d");
  let top = 0;
  for (const grid of grids) {
    drawGrid(brush, grid, size(grid), top);
    top += grid.rows * size(grid) + gap;
  }
  const active = activations.map((layer) => layer.filter((value) => value > 0).length);
  caption.textContent = layers.length
    ? activations.map((layer, i) => `${layer.length} hidden units, ${active[i]} active`).join("; ")
    : `${model} has no hidden units: each pixel adds to the ten logits directly`;
}

function drawGrid(brush, { layer, columns }, size, top) {
  const most = Math.max(...layer, 1e-9);
  layer.forEach((value, i) => {
    const level = value / most;
    const colour = value > 0 ? LOW.map((low, c) => low + (HIGH[c] - low) * level) : OFF;
    brush.fillStyle = `rgb(${colour.join(" ")})`;
    const [x, y] = [(i % columns) * size, top + Math.floor(i / columns) * size];
    brush.fillRect(x, y, size - 1, size - 1);
  });
}

let last = null;

function showAll(reading) {
  last = reading;
  showAnswer(reading);
  showProbabilities(reading);
  showSeen(reading);
  showUnits(reading);
}

document.addEventListener("reading", (event) => showAll(event.detail));
let width = 0;
new ResizeObserver(() => {
  if (last && units.clientWidth !== width) showUnits(last);
  width = units.clientWidth;
}).observe(units);
