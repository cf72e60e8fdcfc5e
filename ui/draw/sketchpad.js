// The sketchpad: strokes go to the server while they are drawn. One request is in progress at a
// time; the newest drawing is sent next.

import { SIDE } from "../shared/constants.js";
import { SAVED, tab } from "../shared/storage.js";
import { drawByKeyboard } from "./keyboard.js";
import { drawByPointer } from "./pointers.js";
import { drawOverlay } from "./overlay.js";
import { dropLink, linkedInk } from "./link.js";
import { drawInk, isEmpty } from "../shared/sketch.js";
import { REST, inTime, listen, tell, visibleParts } from "../shared/events.js";
import { loadPicture } from "./image.js";
import { replay } from "./replay.js";
import { whole } from "../shared/numbers.js";

/** @typedef {import("../shared/types").Start} Start */
/** @typedef {import("../shared/types").Pad} Pad */

const MIN_STEP = 1.5; // units between two points: a tap that moves less is a dot
const RETRIES = [250, 500, 1000, 1500]; // ms until a failed request is sent again
const LATE = 1000; // ms without a response until the visitor gets a message
const LOST = "The server does not respond. The numbers belong to an earlier drawing. Trying again…";

function tenth(value) {
  return Math.round(10 * value) / 10;
}

function select(chooserOf, name) {
  if ([...chooserOf.options].some((option) => option.value === name)) chooserOf.value = name;
}

function isNumberField(target) {
  return target instanceof Element && target.matches("[type=number]");
}

/** @type {Start} */
export function start(element, props, server) {
  const find = (name) => element.querySelector(`[data-testid=${name}]`);
  const canvas = find("sketchpad");
  const over = element.querySelector(".over");
  const [model, beside, pen] = ["model", "beside", "pen"].map(find);
  const [undo, redo, clear] = ["undo", "redo", "clear"].map(find);
  const status = find("status");
  const hint = element.querySelector(".hint");

  /** @type {Pad} */
  const pad = {
    ink: { strokes: [], picture: null },
    past: [],
    drawing: null,
    ended: -Infinity,
    replaying: null,
    cursor: null,
    frame: null,
    begin,
    add,
    endStroke,
    update,
    replace,
    wipe,
    paint,
    paintOver,
    point,
  };
  let side = 1; // px across the canvas
  let inkColour = "#000";
  let future = [];
  let explained = { chosen: null, against: null };
  let shown = null; // the newest reading, for components that start late
  let replaced = false; // whether the newest stroke replaced a picture
  let notice = ""; // message to the visitor until the next change
  let error = ""; // why the newest drawing was not read
  let lost = false; // whether the last request failed or is late
  let failures = 0; // since the last response
  let changed = false; // since the last request
  let complete = true; // whether to request all parts of the reading
  let resting = 0; // the timer that ends when the pen has not moved for a while
  const pickedUnits = [null, null]; // in each column: the unit that the visitor picked
  let asking = false;
  let elsewhere = {}; // in the lesson: the models that were chosen on the drawing page
  let era = 0; // raised when ink is removed or the model changes: older responses are dropped

  // Called when the size or the theme changes: measuring before each paint would force a layout.
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
    drawInk(brush, pad.ink, inkColour);
    paintOver();
    undo.disabled = pad.past.length === 0;
    redo.disabled = future.length === 0;
    clear.disabled = isEmpty(pad.ink);
    hint.hidden = !clear.disabled || pad.cursor !== null;
  }

  function paintOver() {
    const brush = over.getContext("2d");
    brush.setTransform(side / SIDE, 0, 0, side / SIDE, 0, 0);
    drawOverlay(brush, pad, document.activeElement === canvas);
  }

  /** @type {Pad["point"]} */
  function point(x, y, pressure = 1) {
    const width = Math.round(8 * Number(pen.value) * pressure) / 8;
    return width === 1 ? [tenth(x), tenth(y)] : [tenth(x), tenth(y), Math.max(0.125, width)];
  }

  function begin(who, first) {
    if (pad.drawing === "replay") endStroke();
    remember();
    pad.drawing = who;
    replaced = pad.ink.picture !== null;
    const before = pad.ink.example ? [] : pad.ink.strokes; // a stroke replaces an example
    pad.ink = { strokes: [...before, [first]], picture: null };
    pad.frame = null;
    update();
  }

  function add(next) {
    if (isFull()) return;
    const stroke = pad.ink.strokes[pad.ink.strokes.length - 1];
    const last = stroke[stroke.length - 1];
    if (Math.hypot(next[0] - last[0], next[1] - last[1]) >= MIN_STEP) stroke.push(next);
  }

  function isFull() {
    return pad.ink.strokes.reduce((sum, stroke) => sum + stroke.length, 0) >= props.max_points;
  }

  function endStroke() {
    pad.ended = performance.now();
    pad.drawing = pad.replaying = null;
    update();
  }

  function remember() {
    pad.past.push(pad.ink);
    future = [];
  }

  function say(text) {
    notice = text;
    error = "";
    showStatus();
  }

  function showStatus() {
    status.textContent = lost ? LOST : error || notice;
  }

  function news() {
    if (isFull())
      return `The drawing is full at ${whole(props.max_points)} points: start a new one.`;
    if (pad.ink.example) return "An example: draw your own.";
    return replaced ? "The drawing replaced the picture. Undo restores it." : "";
  }

  function update() {
    say(news());
    paint();
    tell("ink", { ink: pad.ink, models: models(), explained });
    changed = true;
    // While a stroke is drawn, request only what is on the screen. Request the rest when the pen rests.
    complete = props.lesson || pad.drawing === null;
    clearTimeout(resting);
    if (!complete) resting = setTimeout(askAll, REST);
    ask();
  }

  function askAll() {
    complete = changed = true;
    ask();
  }

  function models() {
    return beside.value ? [model.value, beside.value] : [model.value];
  }

  // Replace the ink; responses to older requests are dropped.
  function replace(next) {
    pad.ink = next;
    replaced = false;
    if (isEmpty(pad.ink)) explained = { chosen: null, against: null };
    pad.drawing = pad.replaying = null; // the pen may still be down: it must not continue the new ink
    pad.frame = null;
    era += 1;
    update();
  }

  function readRequest() {
    const source = pad.ink.picture
      ? { strokes: null, picture: pad.ink.picture.url }
      : { strokes: pad.ink.strokes };
    const parts = complete ? undefined : [...visibleParts];
    return { models: models(), ...source, ...explained, parts, units: pickedUnits };
  }

  // Send the newest drawing if it has changed and no request is in progress. With one request at a
  // time, an older response cannot replace a newer one.
  async function ask() {
    if (asking || !changed) return;
    asking = true;
    changed = false;
    const asked = era;
    const request = structuredClone(readRequest());
    const late = setTimeout(() => setLost(true), LATE);
    const answer = await inTime(server.read(request)).catch(() => null); // undefined if it is lost
    clearTimeout(late);
    setLost(!answer);
    if (!request.parts) save();
    if (answer) {
      failures = 0;
      askNext(); // the server reads the next drawing while the page shows this one
      if (asked === era) show(answer, request);
    } else {
      changed = true;
      setTimeout(askNext, RETRIES[Math.min(failures, RETRIES.length - 1)]);
      failures += 1;
    }
  }

  function askNext() {
    asking = false;
    ask();
  }

  function setLost(value) {
    lost = value;
    showStatus();
  }

  function show(answer, request) {
    error = answer.error ?? "";
    showStatus();
    if (error) return;
    pad.frame = answer.readings[0].frame;
    paintOver();
    shown = { ...answer, request };
    tell("reading", shown);
  }

  undo.addEventListener("click", stepBack);
  redo.addEventListener("click", stepForth);
  clear.addEventListener("click", wipe);

  function stepBack() {
    if (!pad.past.length) return;
    // An example that is still being drawn comes back as a whole.
    future.push(pad.replaying ? { strokes: pad.replaying, picture: null } : pad.ink);
    replace(pad.past.pop());
  }

  function stepForth() {
    if (!future.length) return;
    pad.past.push(pad.ink);
    replace(future.pop());
  }

  function wipe() {
    if (isEmpty(pad.ink)) return;
    remember();
    replace({ strokes: [], picture: null });
    tell("cleared");
  }

  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || isNumberField(event.target)) return;
    const key = event.key.toLowerCase();
    if (key === "z" && !event.shiftKey) stepBack();
    else if (key === "y" || (key === "z" && event.shiftKey)) stepForth();
    else return;
    event.preventDefault();
  });

  for (const chooser of [model, beside]) {
    chooser.addEventListener("change", () => {
      era += 1;
      separate();
      update();
    });
  }

  // Prevent the comparison of a model with itself.
  function separate() {
    if (beside.value === model.value) beside.value = "";
    for (const option of beside.options) option.disabled = option.value === model.value;
  }

  // A component that starts late gets the current drawing and its reading.
  listen("joined", () => {
    tell("ink", { ink: pad.ink, models: models(), explained });
    if (shown) tell("reading", shown);
  });

  // Another component requests the explanation of another logit.
  listen("explain", (change) => {
    explained = { ...explained, ...change };
    if (explained.against === explained.chosen) explained.against = null;
    update();
  });

  // An example, a picture or a link replaces the ink. Undo brings the ink back.
  listen("load", (detail) => {
    remember();
    explained = { chosen: null, against: null };
    replace(detail.replay ? { strokes: [], picture: null } : detail.ink);
    if (detail.replay) replay(pad, detail.ink.strokes);
  });

  listen("inspected", ({ place, layer, unit, own }) => {
    pickedUnits[place] = own ? { layer, unit } : null;
  });

  listen("notice", say);

  // Keep a stroke that was begun while the picture was loading.
  async function restorePicture(url) {
    const picture = await loadPicture(url);
    if (isEmpty(pad.ink) && pad.drawing === null) replace({ strokes: [], picture });
  }

  function save() {
    if (pad.ink.example) return;
    const kept = { strokes: pad.ink.strokes, picture: pad.ink.picture?.url ?? null };
    const choices = props.lesson
      ? { ...elsewhere, pen: pen.value }
      : { model: model.value, beside: beside.value, pen: pen.value };
    tab.set(SAVED, { ...kept, ...choices });
  }

  // Restore what the last visit left.
  async function restore() {
    const kept = tab.get(SAVED);
    if (!kept) return;
    try {
      elsewhere = { model: kept.model, beside: kept.beside };
      select(model, kept.model);
      select(beside, kept.beside);
      pen.value = kept.pen ?? pen.value;
      separate();
      if (kept.picture) await restorePicture(kept.picture).catch(() => {});
      else replace({ strokes: kept.strokes, picture: null });
    } catch {
      tab.remove(SAVED);
    }
  }

  // Follow the link in the address: it holds a drawing, the pixels of a picture, or only a model.
  function follow() {
    const parts = new URLSearchParams(location.hash.slice(1));
    if (!["drawing", "pixels", "model"].some((name) => parts.has(name))) return;
    select(model, parts.get("model"));
    if (parts.has("drawing")) select(beside, parts.get("beside") ?? "");
    separate();
    if (parts.has("drawing") || parts.has("pixels")) {
      const linked = linkedInk(parts);
      if (linked && !isEmpty(pad.ink)) remember();
      if (linked) replace(linked);
      else say("The link is incomplete: copy it again.");
    } else {
      era += 1;
      update();
    }
    dropLink(); // after a reload, the newer ink is restored instead
  }

  find("enlarge")?.addEventListener("click", ({ currentTarget }) => {
    const large = element.closest("#lesson-sketchpad").classList.toggle("large");
    currentTarget.setAttribute("aria-pressed", large);
  });

  drawByPointer(canvas, pad);
  drawByKeyboard(canvas, pad);
  window.addEventListener("hashchange", follow);
  new ResizeObserver(measure).observe(canvas);
  separate();
  new MutationObserver(measure).observe(document.body, { attributeFilter: ["class"] }); // dark or light
  update();
  if (location.hash.includes("drawing=")) follow();
  else restore().then(follow);
}
