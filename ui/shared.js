// What all pieces of the page share; ui/piece.py puts it before each piece's own script.

const SIDE = 280; // units across the sketchpad; strokes are in them, whatever the screen
const PEN = 18; // units: the usual pen, where a point's width is 1
const SIZE = 28; // pixels across what the network sees
const NOT_A_DIGIT = 10; // the eleventh logit's place
const POSITIVE = [86, 180, 233]; // Okabe and Ito's blue and orange, on black, which
const NEGATIVE = [230, 159, 0]; // colour-blind people can tell apart
const REST = 150; // ms without a new reading
const MINUS = "\u2212";
const PATIENCE = 10000; // ms until an answer counts as lost
const SAVED = "drawing"; // in `tab`: the sketchpad, and by which model it is read

// What a tab keeps over reloads and from page to page. Where the visitor blocks storage, it keeps
// nothing: merely accessing sessionStorage throws there.
const tab = {
  get(name) {
    try {
      return JSON.parse(sessionStorage.getItem(name));
    } catch {
      return null;
    }
  },
  set(name, value) {
    try {
      sessionStorage.setItem(name, JSON.stringify(value));
    } catch {
      tab.remove(name); // it is full or blocked: an older value must not come back
    }
  },
  remove(name) {
    try {
      sessionStorage.removeItem(name);
    } catch {
      // It is blocked: there is nothing to remove.
    }
  },
};

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

// Rounding must not turn a high probability into certainty: not even float32's.
function percent(share) {
  return share > 0.9995 ? "> 99.9 %" : `${(100 * share).toFixed(1)} %`;
}

function logitName(logit) {
  return logit === NOT_A_DIGIT ? "“not a digit”" : `${logit}`;
}

function hundredths(count) {
  const text = (Math.abs(count) / 100).toFixed(2);
  return count < 0 ? MINUS + text : text;
}

function decimal(value) {
  return hundredths(Math.round(100 * value));
}

// Round the terms of a sum to hundredths such that what is shown adds up: where rounding each by
// itself misses the total, the terms nearest to the next hundredth are rounded the other way: some
// of the `free` ones, or the last, a bias that stands in other sums too, where it is alone.
function addUp(terms, total, free = [...terms.keys()].slice(0, -1)) {
  const counts = terms.map((term) => Math.round(100 * term));
  const shown = Math.round(100 * total);
  let missing = shown - counts.reduce((sum, count) => sum + count, 0);
  // More than rounding explains: the terms are wrong, and must not be made to fit.
  if (Math.abs(missing) > (terms.length + 3) / 2) throw new RangeError("a sum that does not hold");
  const way = Math.sign(missing);
  const residue = (i) => way * (100 * terms[i] - counts[i]);
  const some = [...free].filter((i) => terms[i] !== 0);
  const order = some.length ? some : [terms.length - 1];
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
  track.append(document.createElement("i"));
  setBar(track, share);
  return track;
}

function setBar(track, share) {
  const level = track.firstElementChild;
  level.className = share < 0 ? "negative" : "positive";
  level.style.cssText = `width: ${50 * Math.abs(share)}%; ${share < 0 ? "right" : "left"}: 50%`;
}

// Words that stay as they are cost the browser no layout.
function setText(part, text) {
  if (part.textContent !== text) part.textContent = text;
}

function setAttribute(part, name, value) {
  if (part.getAttribute(name) !== `${value}`) part.setAttribute(name, value);
}

// Level -1 to 1: orange through black to blue, as bright as `light`, 0 to 1.
function colour(level, light = 1) {
  const top = level < 0 ? NEGATIVE : POSITIVE;
  return top.map((part) => Math.round(part * Math.abs(level) * light));
}

// A colour as an ImageData's 32 bits have it.
function packed([red, green, blue]) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

// The colours of -127 to 127 at some brightness, made once: a picture has 784 of them.
const palettes = new Map();
function palette(light) {
  const key = Math.round(255 * light);
  if (!palettes.has(key)) {
    const levels = Array.from({ length: 255 }, (_, i) => packed(colour((i - 127) / 127, light)));
    palettes.set(key, Uint32Array.from(levels));
  }
  return palettes.get(key);
}

// int8 levels from their base64, once for each picture.
const decoded = new WeakMap();
function numbersOf(picture) {
  if (!decoded.has(picture)) decoded.set(picture, new Int8Array(bytes(picture.levels).buffer));
  return decoded.get(picture);
}

// Draw numbers as a 28 × 28 picture: int8 levels in base64, of which 127 is `full` of their scale.
function drawNumbers(canvas, picture, { light = 1, full = picture.scale } = {}) {
  const numbers = numbersOf(picture);
  const gain = full ? picture.scale / full : 0;
  const colours = palette(light);
  const image = new ImageData(SIZE, SIZE);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i += 1) {
    pixels[i] = colours[127 + Math.max(-127, Math.min(127, Math.round(numbers[i] * gain)))];
  }
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
  const pixels = new Uint32Array(image.data.buffer);
  bytes(seen).forEach((value, i) => (pixels[i] = packed([value, value, value])));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// Draw one stroke with a round pen whose width follows its points.
function drawStroke(brush, stroke) {
  brush.lineCap = brush.lineJoin = "round";
  const width = (point) => PEN * (point[2] ?? 1);
  if (stroke.length === 1) {
    const [[x, y]] = stroke; // a line without length is not drawn
    brush.fillStyle = brush.strokeStyle;
    brush.beginPath();
    brush.arc(x, y, width(stroke[0]) / 2, 0, 2 * Math.PI);
    brush.fill();
    return;
  }
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
  new IntersectionObserver((entries) => {
    visible = entries.at(-1).isIntersecting; // the newest of all that have gathered
    if (visible) flush();
  }).observe(element);
  tell("joined");
}

function inTime(promise) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("late")), PATIENCE));
  return Promise.race([promise, late]);
}

// What scrolls can be reached by the keyboard.
function letReach(article) {
  for (const box of article.querySelectorAll(".scroll, pre")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
}

// Make a picture for the sketchpad from 28 × 28 bytes in base64.
function inkOfPixels(pixels) {
  const image = document.createElement("canvas");
  image.width = image.height = SIZE;
  drawSeen(image, pixels);
  return { strokes: [], picture: { url: bmpOf(bytes(pixels)), image } };
}

// Return 28 × 28 grey levels as the data URL of an uncompressed BMP, 24 bits a pixel. A canvas would
// do, but some browsers return noise for what it holds.
function bmpOf(levels) {
  const start = 54; // bytes of its two headers
  const file = new DataView(new ArrayBuffer(start + 3 * levels.length));
  const put = (at, value) => file.setUint32(at, value, true);
  file.setUint16(0, 0x424d); // "BM"
  put(2, file.byteLength);
  put(10, start);
  put(14, 40); // bytes of the second header
  put(18, SIZE);
  put(22, -SIZE); // the first row is the top one
  put(26, (24 << 16) | 1);
  levels.forEach((level, i) => {
    for (let channel = 0; channel < 3; channel += 1) file.setUint8(start + 3 * i + channel, level);
  });
  return `data:image/bmp;base64,${btoa(String.fromCharCode(...new Uint8Array(file.buffer)))}`;
}

function tell(kind, detail) {
  document.dispatchEvent(new CustomEvent(kind, { detail }));
}
