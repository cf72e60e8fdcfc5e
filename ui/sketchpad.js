// The sketchpad: pointer strokes in, one request in flight, the newest drawing next.

const MIN_STEP = 1.5; // units; a tap that trembles less is a dot
const PAUSE = 8; // ms between an answer and the next question: time to paint
const RETRY = 1500; // ms
const LATE = 1000; // ms after which the visitor is told that no answer comes
const KEY_STEP = 4; // units that an arrow key moves the pen; with Shift, four times as far
const CROSS = 6; // units from the ink's centre of mass to the ends of its cross
const PALM = 500; // ms: a touch this close to the pen is the hand that holds it
const REPLAY = 700; // ms that an example takes to be drawn
const LOST = "No answer: the numbers are of older ink. Trying again…";

const find = (name) => element.querySelector(`[data-testid=${name}]`);
const canvas = find("sketchpad");
const over = element.querySelector(".over");
const [model, beside, pen] = ["model", "beside", "pen"].map(find);
const [undo, redo, clear] = ["undo", "redo", "clear"].map(find);
const status = find("status");
const hint = element.querySelector(".hint");

let side = 1; // px across the canvas
let inkColour = "#000";
let ink = { strokes: [], picture: null }; // never changed in place, but for the stroke in hand
let past = [];
let future = [];
let drawing = null; // the id of the pointer that draws, "keys", "replay", or null
let tool = null; // what that pointer is: mouse, touch or pen
let touched = null; // the newest stroke by touch: its pointer's id, the ink, and when it ended
let penSeen = -Infinity; // when the pen was last on or over the sketchpad, by events' timeStamp
let replaying = null; // the strokes of an example, as long as they are being drawn
let cursor = null; // of the keyboard: x, y
let frame = null; // of the last answer: the ink's box and its centre of mass
let explained = { chosen: null, against: null };
let shown = null; // the last answer, for pieces that join late
let replaced = false; // whether the stroke in hand took the place of a picture
let notice = ""; // what the visitor is told until the next change
let lost = false; // whether the last question got no answer
let changed = false; // since the last question
let asking = false;
let elsewhere = {}; // the models that a visitor of the lesson has chosen on the drawing page
let era = 0; // raised when ink is taken away or the model changes: older answers are void

// Measured when it changes: to ask a page for it that has just changed would cost a layout.
function measure() {
  side = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  inkColour = getComputedStyle(canvas).color;
  paint();
}

function paint() {
  for (const each of [canvas, over]) if (each.width !== side) each.width = each.height = side;
  const brush = canvas.getContext("2d");
  brush.setTransform(side / SIDE, 0, 0, side / SIDE, 0, 0);
  brush.clearRect(0, 0, SIDE, SIDE);
  drawInk(brush, ink, inkColour);
  paintOver();
  undo.disabled = past.length === 0;
  redo.disabled = future.length === 0;
  clear.disabled = isEmpty(ink);
  hint.hidden = !clear.disabled || cursor !== null;
}

// The box that preprocessing found, the ink's centre of mass, and the keyboard's pen.
function paintOver() {
  const brush = over.getContext("2d");
  brush.setTransform(side / SIDE, 0, 0, side / SIDE, 0, 0);
  brush.clearRect(0, 0, SIDE, SIDE);
  brush.strokeStyle = "#2f86d0";
  if (frame && drawing === null) {
    let [x, y, zoom] = [0, 0, 1];
    if (ink.picture) {
      const [left, top, across] = place(ink.picture);
      const { image, width = image.width } = ink.picture;
      [x, y, zoom] = [left, top, across / width];
    }
    const [left, top, right, bottom] = ink.picture ? frame.box : inkBox(ink.strokes);
    brush.lineWidth = 1;
    brush.setLineDash([4, 3]);
    brush.strokeRect(x + left * zoom, y + top * zoom, (right - left) * zoom, (bottom - top) * zoom);
    brush.setLineDash([]);
    const [middle, centre] = [x + frame.centre[0] * zoom, y + frame.centre[1] * zoom];
    brush.lineWidth = 2;
    brush.beginPath();
    brush.moveTo(middle - CROSS, centre);
    brush.lineTo(middle + CROSS, centre);
    brush.moveTo(middle, centre - CROSS);
    brush.lineTo(middle, centre + CROSS);
    brush.stroke();
  }
  if (cursor && document.activeElement === canvas) {
    brush.lineWidth = 2;
    brush.beginPath();
    brush.arc(...cursor, drawing === "keys" ? 4 : 8, 0, 2 * Math.PI);
    brush.stroke();
  }
}

// The box of what is drawn, as wide as the pen shows it; the network's pen may be another.
function inkBox(strokes) {
  const points = strokes.flat();
  const reach = ([, , width = 1]) => (PEN * width) / 2;
  return [
    Math.min(...points.map((each) => each[0] - reach(each))),
    Math.min(...points.map((each) => each[1] - reach(each))),
    Math.max(...points.map((each) => each[0] + reach(each))),
    Math.max(...points.map((each) => each[1] + reach(each))),
  ];
}

function tenth(value) {
  return Math.round(10 * value) / 10;
}

// A point of the pen: with a third number, its width, where that is not the usual one.
function point(x, y, pressure = 1) {
  const width = Math.round(8 * Number(pen.value) * pressure) / 8;
  return width === 1 ? [tenth(x), tenth(y)] : [tenth(x), tenth(y), Math.max(0.125, width)];
}

function pointOf(event) {
  const box = canvas.getBoundingClientRect();
  const scale = SIDE / canvas.clientWidth;
  const pressed = event.pointerType === "pen" && event.pressure > 0;
  return point(
    (event.clientX - box.left - canvas.clientLeft) * scale,
    (event.clientY - box.top - canvas.clientTop) * scale,
    pressed ? 0.5 + event.pressure : 1, // half is the usual pressure of a pen
  );
}

function begin(who, first) {
  if (drawing === "replay") endStroke();
  remember();
  drawing = who;
  replaced = ink.picture !== null;
  const before = ink.example ? [] : ink.strokes; // an example gives way
  ink = { strokes: [...before, [first]], picture: null };
  frame = null;
  update();
}

function add(next) {
  if (isFull()) return;
  const stroke = ink.strokes[ink.strokes.length - 1];
  const last = stroke[stroke.length - 1];
  if (Math.hypot(next[0] - last[0], next[1] - last[1]) >= MIN_STEP) stroke.push(next);
}

function isFull() {
  return ink.strokes.reduce((sum, stroke) => sum + stroke.length, 0) >= props.max_points;
}

function endStroke() {
  if (touched !== null && drawing === touched.id) touched.ended = performance.now();
  drawing = replaying = null;
  update();
}

function remember() {
  past.push(ink);
  future = [];
}

function say(text) {
  notice = text;
  status.textContent = lost ? LOST : notice;
}

function news() {
  if (isFull()) return `No more than ${whole(props.max_points)} points are read: the pen is empty.`;
  if (ink.example) return "An example: draw your own.";
  return replaced ? "The drawing took the picture's place. Undo brings it back." : "";
}

function update() {
  say(news());
  paint();
  tell("ink", { ink, models: models(), explained });
  changed = true;
  ask();
}

function models() {
  return beside.value ? [model.value, beside.value] : [model.value];
}

// Put other ink in the place of what is there; older answers do not belong to it.
function replace(next) {
  ink = next;
  replaced = false;
  if (isEmpty(ink)) explained = { chosen: null, against: null };
  drawing = replaying = null; // the pen may be down still: it must not go on in another stroke
  frame = null;
  era += 1;
  update();
}

function question() {
  const source = ink.picture
    ? { strokes: null, picture: ink.picture.url }
    : { strokes: ink.strokes };
  return { models: models(), ...source, ...explained };
}

// Ask for the newest drawing whenever there is one and no question is open: an answer can be
// late, but never overtaken by an older one.
async function ask() {
  if (asking || !changed) return;
  asking = true;
  changed = false;
  const asked = era;
  let wait = PAUSE;
  const late = setTimeout(() => setLost(true), LATE);
  try {
    const asks = structuredClone(question());
    const answer = await inTime(server.read(asks));
    setLost(false);
    if (asked === era) show(answer, asks);
  } catch {
    setLost(true);
    changed = true;
    wait = RETRY;
  }
  clearTimeout(late);
  setTimeout(() => {
    asking = false;
    ask();
  }, wait);
  save();
}

function setLost(value) {
  lost = value;
  say(notice);
}

function show(answer, asks) {
  if (answer.error) {
    status.textContent = answer.error;
    return;
  }
  frame = answer.readings[0].frame;
  paintOver();
  shown = { ...answer, asks };
  tell("reading", shown);
}

canvas.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || isStray(event)) return;
  if (event.pointerType === "pen") removePalm(event);
  liftPointer(); // ends a stroke whose pointerup never arrived
  event.preventDefault();
  canvas.focus({ preventScroll: true, focusVisible: false });
  if (drawing !== null) endStroke();
  cursor = null;
  begin(event.pointerId, pointOf(event));
  tool = event.pointerType;
  if (tool === "touch") touched = { id: event.pointerId, ink, ended: -Infinity };
  try {
    canvas.setPointerCapture(event.pointerId);
  } catch {
    // The pointer was already lifted: its pointerup follows.
  }
});

for (const kind of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
  canvas.addEventListener(kind, ({ pointerType, timeStamp }) => {
    if (pointerType === "pen") penSeen = timeStamp;
  });
}

// Return whether a touch is no stroke: it is the hand that holds the pen, or a second finger.
function isStray({ pointerType, isPrimary, timeStamp }) {
  if (pointerType !== "touch") return false;
  if (timeStamp - penSeen < PALM) return true;
  const held = typeof drawing === "number" && canvas.hasPointerCapture(drawing);
  return held && (tool === "pen" || (tool === "touch" && !isPrimary));
}

// The hand that holds a pen often touches the sketchpad before the pen does: remove what it drew.
function removePalm({ timeStamp }) {
  const drawn = touched !== null && ink === touched.ink;
  if (drawn && (drawing === touched.id || timeStamp - touched.ended < PALM)) replace(past.pop());
}

function liftPointer() {
  if (typeof drawing === "number") endStroke();
}

function isLifted({ pointerType, buttons }) {
  return pointerType === "mouse" ? !(buttons & 1) : buttons === 0;
}

canvas.addEventListener("pointermove", (event) => {
  if (event.pointerId !== drawing) return;
  if (isLifted(event)) {
    endStroke();
    return;
  }
  const events = event.getCoalescedEvents?.() ?? [];
  for (const each of events.length ? events : [event]) add(pointOf(each));
  update();
});

// A cancelled stroke stays: the browser cancels for a call or a gesture of the system, too, and Undo
// removes a mark more easily than a visitor draws one again. A palm's is removed when the pen comes.
for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
  canvas.addEventListener(end, ({ pointerId }) => {
    if (pointerId === drawing) endStroke();
  });
}

// Where the page no longer has the visitor's attention, it may never hear of the pointer again.
for (const away of ["blur", "pagehide"]) window.addEventListener(away, liftPointer);
document.addEventListener("visibilitychange", liftPointer);

// A menu over the sketchpad would take the pointerup of a stroke.
canvas.addEventListener("contextmenu", (event) => {
  if (typeof drawing === "number") event.preventDefault();
});

// Without this, a browser scrolls on some gestures that touch-action should stop, and iOS selects
// text or opens its magnifier on quick strokes.
for (const kind of ["touchstart", "touchmove"]) {
  canvas.addEventListener(kind, (event) => event.preventDefault(), { passive: false });
}

undo.addEventListener("click", stepBack);
redo.addEventListener("click", stepForth);
clear.addEventListener("click", wipe);

function stepBack() {
  if (!past.length) return;
  // What is being drawn by itself comes back whole.
  future.push(replaying ? { strokes: replaying, picture: null } : ink);
  replace(past.pop());
}

function stepForth() {
  if (!future.length) return;
  past.push(ink);
  replace(future.pop());
}

function wipe() {
  if (!ink.strokes.length && !ink.picture) return;
  remember();
  replace({ strokes: [], picture: null });
  tell("cleared");
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

canvas.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return; // the browser's own
  const step = event.shiftKey ? 4 * KEY_STEP : KEY_STEP;
  if (ARROWS[event.key]) {
    const [x, y] = cursor ?? [SIDE / 2, SIDE / 2];
    const [dx, dy] = ARROWS[event.key];
    const inside = (value) => Math.min(SIDE, Math.max(0, value));
    cursor = [inside(x + dx * step), inside(y + dy * step)];
    if (drawing === "keys") {
      add(point(...cursor));
      update();
    }
  } else if (event.key === " " || event.key === "Enter") {
    cursor ??= [SIDE / 2, SIDE / 2];
    if (drawing === "keys") endStroke();
    else if (drawing === null) begin("keys", point(...cursor));
  } else if (event.key === "Delete" || event.key === "Backspace") {
    wipe();
  } else if (event.key === "Escape" && drawing === "keys") {
    endStroke();
  } else {
    return;
  }
  event.preventDefault();
  paint();
});

canvas.addEventListener("blur", () => {
  if (drawing === "keys") endStroke();
  paintOver();
});

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.target.closest?.("[type=number]")) return;
  const key = event.key.toLowerCase();
  if (key === "z" && !event.shiftKey) stepBack();
  else if (key === "y" || (key === "z" && event.shiftKey)) stepForth();
  else return;
  event.preventDefault();
});

for (const select of [model, beside]) {
  select.addEventListener("change", () => {
    era += 1;
    separate();
    update();
  });
}

// A model is not compared with itself.
function separate() {
  if (beside.value === model.value) beside.value = "";
  for (const option of beside.options) option.disabled = option.value === model.value;
}

// A piece of the page that starts after the drawing is there is told of it.
document.addEventListener("joined", () => {
  tell("ink", { ink, models: models(), explained });
  if (shown) tell("reading", shown);
});

// The rest of the page asks for another logit's account.
document.addEventListener("explain", (event) => {
  explained = { ...explained, ...event.detail };
  if (explained.against === explained.chosen) explained.against = null;
  update();
});

// Other ink comes from an example, a picture or a link; what was there can be had back.
document.addEventListener("load", ({ detail }) => {
  remember();
  explained = { chosen: null, against: null };
  replace(detail.replay ? { strokes: [], picture: null } : detail.ink);
  if (detail.replay) replay(detail.ink.strokes);
});

document.addEventListener("notice", ({ detail }) => say(detail));

// Draw strokes as a hand would, or at once for those who prefer no motion.
function replay(strokes) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
    replace({ strokes, picture: null });
    return;
  }
  const total = strokes.reduce((sum, stroke) => sum + stroke.length, 0);
  const started = performance.now();
  drawing = "replay";
  replaying = strokes;
  const step = (now) => {
    if (replaying !== strokes) return;
    let left = Math.max(1, Math.ceil((Math.max(0, now - started) / REPLAY) * total));
    const done = [];
    for (const stroke of strokes) {
      if (left > 0) done.push(stroke.slice(0, left));
      left -= stroke.length;
    }
    ink = { strokes: done, picture: null };
    if (left >= 0) endStroke();
    else {
      update();
      requestAnimationFrame(step);
    }
  };
  requestAnimationFrame(step);
}

// A stroke that was begun while the picture was loading stays.
async function restorePicture(url) {
  const picture = await loadPicture(url);
  if (isEmpty(ink) && drawing === null) replace({ strokes: [], picture });
}

function save() {
  if (ink.example) return;
  const kept = { strokes: ink.strokes, picture: ink.picture?.url ?? null };
  const choices = props.lesson
    ? { ...elsewhere, pen: pen.value }
    : { model: model.value, beside: beside.value, pen: pen.value };
  tab.set(SAVED, { ...kept, ...choices });
}

function select(chooserOf, name) {
  if ([...chooserOf.options].some((option) => option.value === name)) chooserOf.value = name;
}

// What the last visit left. A link's drawing takes its place; other links leave it to be had back.
async function restore() {
  const kept = tab.get(SAVED);
  if (!kept) return;
  try {
    elsewhere = { model: kept.model, beside: kept.beside };
    select(model, kept.model);
    select(beside, kept.beside);
    pen.value = kept.pen;
    separate();
    if (kept.picture) await restorePicture(kept.picture).catch(() => {});
    else replace({ strokes: kept.strokes, picture: null });
  } catch {
    tab.remove(SAVED);
  }
}

// Do what the link in the address says: it has a drawing, or the pixels of a picture, or names a
// model alone.
function follow() {
  const parts = new URLSearchParams(location.hash.slice(1));
  if (!["drawing", "pixels", "model"].some((name) => parts.has(name))) return;
  select(model, parts.get("model"));
  if (parts.has("drawing")) select(beside, parts.get("beside") ?? "");
  separate();
  if (parts.has("drawing") || parts.has("pixels")) {
    const linked = parts.has("pixels") ? pictureOf(parts.get("pixels")) : inkOf(parts);
    if (linked && !isEmpty(ink)) remember();
    if (linked) replace(linked);
    else say("The link is not whole: copy it again.");
  } else {
    era += 1;
    update();
  }
  dropLink(); // a reload keeps what is new
}

function inkOf(parts) {
  const strokes = decode(parts.get("drawing"));
  return strokes && { strokes, picture: null };
}

// A picture of the 28 × 28 bytes that a link holds; null where it does not.
function pictureOf(text) {
  const pixels = text.replaceAll("-", "+").replaceAll("_", "/");
  try {
    if (bytes(pixels).length !== SIZE * SIZE) return null;
  } catch {
    return null;
  }
  return inkOfPixels(pixels);
}

find("enlarge")?.addEventListener("click", ({ currentTarget }) => {
  const large = element.closest("#lesson-sketchpad").classList.toggle("large");
  currentTarget.setAttribute("aria-pressed", large);
});

window.addEventListener("hashchange", follow);
new ResizeObserver(measure).observe(canvas);
separate();
new MutationObserver(measure).observe(document.body, { attributeFilter: ["class"] }); // dark or light
update();
if (location.hash.includes("drawing=")) follow();
else restore().then(follow);
