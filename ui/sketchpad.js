// The sketchpad: pointer strokes in, one request in flight, the newest drawing next.

const SIDE = 280; // units across the canvas; strokes are in them, whatever the screen
const PEN = 18; // units
const MIN_STEP = 1.5; // units; a tap that trembles less is a dot
const PAUSE = 30; // ms between an answer and the next question
const PATIENCE = 10000; // ms until an answer counts as lost
const RETRY = 1500; // ms

const canvas = element.querySelector("canvas");
const model = element.querySelector("select");
const undo = element.querySelector("[data-testid=undo]");
const clear = element.querySelector("[data-testid=clear]");
const status = element.querySelector(".status");
const HINT = status.textContent;

let strokes = [];
let drawing = null; // the pointer that draws, or null
let changed = false; // since the last question
let asking = false;
let era = 0; // raised when ink is taken away or the model changes: older answers are void

function paint() {
  const box = canvas.getBoundingClientRect();
  const side = Math.max(1, Math.round(box.width * devicePixelRatio));
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const pen = canvas.getContext("2d");
  pen.setTransform(side / SIDE, 0, 0, side / SIDE, 0, 0);
  pen.clearRect(0, 0, SIDE, SIDE);
  pen.strokeStyle = getComputedStyle(canvas).color;
  pen.lineWidth = PEN;
  pen.lineCap = pen.lineJoin = "round";
  for (const stroke of strokes) {
    pen.beginPath();
    pen.moveTo(...stroke[0]);
    for (const point of stroke) pen.lineTo(...point);
    pen.stroke();
  }
  undo.disabled = clear.disabled = strokes.length === 0;
}

function point(event) {
  const box = canvas.getBoundingClientRect();
  const scale = SIDE / box.width;
  const round = (value) => Math.round(value * 100) / 100;
  return [
    round((event.clientX - box.left - canvas.clientLeft) * scale),
    round((event.clientY - box.top - canvas.clientTop) * scale),
  ];
}

function extend(event) {
  const stroke = strokes[strokes.length - 1];
  const events = event.getCoalescedEvents?.() ?? [];
  for (const each of events.length ? events : [event]) {
    const [x, y] = point(each);
    const [lastX, lastY] = stroke[stroke.length - 1];
    if (Math.hypot(x - lastX, y - lastY) >= MIN_STEP) stroke.push([x, y]);
  }
}

function update() {
  paint();
  changed = true;
  ask();
}

// Ask for the newest drawing whenever there is one and no question is open: an answer can be
// late, but never overtaken by an older one.
async function ask() {
  if (asking || !changed) return;
  asking = true;
  changed = false;
  const asked = era;
  let wait = PAUSE;
  try {
    const answer = await inTime(server.read({ strokes, model: model.value }));
    if (asked === era) show(answer);
  } catch {
    status.textContent = "No answer from the server. Trying again…";
    changed = true;
    wait = RETRY;
  }
  setTimeout(() => {
    asking = false;
    ask();
  }, wait);
}

function inTime(promise) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("late")), PATIENCE));
  return Promise.race([promise, late]);
}

function show(answer) {
  status.textContent = answer.error ?? HINT;
  if (!answer.error) document.dispatchEvent(new CustomEvent("reading", { detail: answer }));
}

canvas.addEventListener("pointerdown", (event) => {
  if (drawing !== null || event.button !== 0) return;
  event.preventDefault();
  drawing = event.pointerId;
  canvas.setPointerCapture(drawing);
  strokes.push([point(event)]);
  update();
});

canvas.addEventListener("pointermove", (event) => {
  if (event.pointerId !== drawing) return;
  extend(event);
  update();
});

for (const end of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(end, (event) => {
    if (event.pointerId === drawing) drawing = null;
  });
}

undo.addEventListener("click", () => {
  strokes.pop();
  drawing = null; // the pen may be down still: it must not go on in another stroke
  era += 1;
  update();
});

clear.addEventListener("click", () => {
  strokes = [];
  drawing = null;
  era += 1;
  update();
});

model.addEventListener("change", () => {
  era += 1;
  update();
});

new ResizeObserver(paint).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
update();
