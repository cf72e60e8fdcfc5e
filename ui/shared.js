// What all pieces of the page share; ui/piece.py puts it before each piece's own script.

const SIDE = 280; // units across the sketchpad; strokes are in them, whatever the screen
const PEN = 18; // units: the usual pen, where a point's width is 1
const SIZE = 28; // pixels across what the network sees
const NOT_A_DIGIT = 10; // the eleventh logit's place
const POSITIVE = [86, 180, 233]; // Okabe and Ito's blue and orange, on black, which
const NEGATIVE = [230, 159, 0]; // colour-blind people can tell apart
const REST = 150; // ms without a new reading
const MINUS = "\u2212";

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

// Rounding must not turn a high probability into certainty.
function percent(share) {
  return share > 0.9995 && share < 1 ? "> 99.9 %" : `${(100 * share).toFixed(1)} %`;
}

function logitName(logit) {
  return logit === NOT_A_DIGIT ? "not a digit" : `${logit}`;
}

function hundredths(count) {
  const text = (Math.abs(count) / 100).toFixed(2);
  return count < 0 ? MINUS + text : text;
}

function decimal(value) {
  return hundredths(Math.round(100 * value));
}

// Round the terms of a sum to hundredths such that what is shown adds up: where rounding each by
// itself misses the total, the terms nearest to the next hundredth are rounded the other way.
function addUp(terms, total) {
  const counts = terms.map((term) => Math.round(100 * term));
  const shown = Math.round(100 * total);
  let missing = shown - counts.reduce((sum, count) => sum + count, 0);
  const way = Math.sign(missing);
  const residue = (i) => way * (100 * terms[i] - counts[i]);
  const order = terms.map((_, i) => i).filter((i) => terms[i] !== 0);
  order.sort((i, k) => residue(k) - residue(i));
  for (let k = 0; missing && order.length; k = (k + 1) % order.length, missing -= way) {
    counts[order[k]] += way;
  }
  return { terms: counts.map(hundredths), total: hundredths(shown) };
}

// Round a product such that it holds in the digits shown: it is the one of the rounded factors.
function timesUp(weight, activation) {
  const [w, a] = [Math.round(1e4 * weight), Math.round(1e4 * activation)];
  const value = Math.round((w * a) / 1e6) / 100;
  return { weight: tenThousandths(w), product: decimal(value), value };
}

function tenThousandths(count) {
  return (count / 1e4).toFixed(4).replace("-", MINUS);
}

function whole(count) {
  return count.toLocaleString("en");
}

// A term of a sum, with its sign before it, as one writes it after another term.
function signed(text) {
  return text.startsWith(MINUS) ? `${MINUS} ${text.slice(1)}` : `+ ${text}`;
}

// A bar from the middle: to the right for what adds, to the left for what takes.
function signedBar(share) {
  const track = document.createElement("span");
  track.className = "track";
  const level = document.createElement("i");
  level.className = share < 0 ? "negative" : "positive";
  level.style.width = `${50 * Math.abs(share)}%`;
  level.style[share < 0 ? "right" : "left"] = "50%";
  track.append(level);
  return track;
}

// Level -1 to 1: orange through black to blue, as bright as `light`, 0 to 1.
function colour(level, light = 1) {
  const top = level < 0 ? NEGATIVE : POSITIVE;
  return top.map((part) => Math.round(part * Math.abs(level) * light));
}

// Draw numbers as a 28 × 28 picture: int8 levels in base64, of which 127 is `full` of their scale.
function drawNumbers(canvas, { levels, scale }, { light = 1, full = scale } = {}) {
  const numbers = new Int8Array(bytes(levels).buffer);
  const gain = full ? scale / full / 127 : 0;
  const image = new ImageData(SIZE, SIZE);
  numbers.forEach((number, i) => {
    const level = Math.max(-1, Math.min(1, number * gain));
    image.data.set([...colour(level, light), 255], 4 * i);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// The same on a canvas of more pixels, each number a square.
function drawLarge(canvas, numbers) {
  const small = new OffscreenCanvas(SIZE, SIZE);
  drawNumbers(small, numbers);
  const brush = canvas.getContext("2d");
  brush.imageSmoothingEnabled = false;
  brush.drawImage(small, 0, 0, canvas.width, canvas.height);
}

// Draw the outline of the ink over a picture of it whose canvas is wider than 28 pixels.
function outline(canvas, seen) {
  const ink = bytes(seen);
  const step = canvas.width / SIZE;
  const brush = canvas.getContext("2d");
  brush.strokeStyle = "#fff";
  brush.lineWidth = 1.5;
  brush.beginPath();
  const inked = (x, y) => x >= 0 && y >= 0 && x < SIZE && y < SIZE && ink[y * SIZE + x] > 127;
  for (let y = 0; y <= SIZE; y += 1) {
    for (let x = 0; x <= SIZE; x += 1) {
      if (inked(x, y) !== inked(x, y - 1)) {
        brush.moveTo(x * step, y * step);
        brush.lineTo((x + 1) * step, y * step);
      }
      if (inked(x, y) !== inked(x - 1, y)) {
        brush.moveTo(x * step, y * step);
        brush.lineTo(x * step, (y + 1) * step);
      }
    }
  }
  brush.stroke();
}

// Draw ink as the network sees it: white on black.
function drawSeen(canvas, seen) {
  const image = new ImageData(SIZE, SIZE);
  bytes(seen).forEach((value, i) => image.data.set([value, value, value, 255], 4 * i));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// Draw one stroke with a round pen whose width follows its points.
function drawStroke(brush, stroke) {
  brush.lineCap = brush.lineJoin = "round";
  const width = (point) => PEN * (point[2] ?? 1);
  if (stroke.every((point) => point[2] === stroke[0][2])) {
    brush.lineWidth = width(stroke[0]);
    brush.beginPath();
    brush.moveTo(stroke[0][0], stroke[0][1]);
    for (const point of stroke) brush.lineTo(point[0], point[1]);
    brush.stroke();
    return;
  }
  for (let i = 1; i < stroke.length; i += 1) {
    brush.lineWidth = (width(stroke[i - 1]) + width(stroke[i])) / 2;
    brush.beginPath();
    brush.moveTo(stroke[i - 1][0], stroke[i - 1][1]);
    brush.lineTo(stroke[i][0], stroke[i][1]);
    brush.stroke();
  }
}

// Where a picture lies on the sketchpad: x, y, width and height.
function place({ image }) {
  const zoom = SIDE / Math.max(image.width, image.height);
  const [width, height] = [image.width * zoom, image.height * zoom];
  return [(SIDE - width) / 2, (SIDE - height) / 2, width, height];
}

function drawInk(brush, { strokes, picture }, colour) {
  if (picture) brush.drawImage(picture.image, ...place(picture));
  brush.strokeStyle = colour;
  for (const stroke of strokes) drawStroke(brush, stroke);
}

function isEmpty({ strokes, picture }) {
  return strokes.length === 0 && !picture;
}

// One column of a piece for each model that reads: made from the piece's <template>, the second
// with test ids of its own. Gives the columns, in the order of the readings.
function columns(element, readings) {
  const count = readings.length;
  const row = element.querySelector(".columns");
  const template = element.querySelector("template");
  while (row.children.length > count) row.lastElementChild.remove();
  while (row.children.length < count) {
    const column = template.content.firstElementChild.cloneNode(true);
    if (row.children.length) {
      for (const part of column.querySelectorAll("[data-testid]")) {
        part.dataset.testid += "-beside";
      }
    }
    row.append(column);
  }
  row.classList.toggle("two", count === 2);
  readings.forEach(({ model }, i) => (row.children[i].dataset.model = model));
  return [...row.children];
}

// Draw each reading: at once where a visitor can see the piece, else when the drawing rests, so
// that what is out of sight costs the pen no time.
function onReading(element, draw) {
  let detail = null;
  let visible = true;
  let waiting = 0;
  const flush = () => {
    clearTimeout(waiting);
    waiting = 0;
    if (detail) draw(detail);
    detail = null;
  };
  document.addEventListener("reading", (event) => {
    detail = event.detail;
    clearTimeout(waiting);
    if (visible) flush();
    else waiting = setTimeout(flush, REST);
  });
  new IntersectionObserver(([entry]) => {
    visible = entry.isIntersecting;
    if (visible) flush();
  }).observe(element);
}

function tell(kind, detail) {
  document.dispatchEvent(new CustomEvent(kind, { detail }));
}
