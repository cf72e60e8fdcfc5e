// Draw on the sketchpad with a mouse, a finger or a pen.

import { SIDE } from "../shared/constants.js";

/** @typedef {import("../shared/types").Pad} Pad */

const PALM = 500; // ms: a touch this close to the pen is the hand that holds it

/**
 * Turn pointer events into strokes.
 * @param {HTMLCanvasElement} canvas
 * @param {Pad} pad
 */
export function drawByPointer(canvas, pad) {
  let tool = null; // mouse, touch or pen: the pointer that draws
  let touched = null; // the newest stroke by touch: the pointer's id and the ink
  let penSeen = -Infinity; // timeStamp of the newest event of a pen

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || isStray(event)) return;
    if (event.pointerType === "pen") removePalm(event);
    liftPointer(); // ends a stroke whose pointerup never arrived
    event.preventDefault();
    canvas.focus({ preventScroll: true, focusVisible: false });
    if (pad.drawing !== null) pad.endStroke();
    pad.cursor = null;
    pad.begin(event.pointerId, pointOf(event));
    tool = event.pointerType;
    if (tool === "touch") touched = { id: event.pointerId, ink: pad.ink };
    try {
      canvas.setPointerCapture(event.pointerId);
    } catch {
      // The pointer was already lifted: its pointerup follows.
    }
  });

  for (const kind of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
    canvas.addEventListener(kind, (/** @type {PointerEvent} */ event) => {
      if (event.pointerType === "pen") penSeen = event.timeStamp;
    });
  }

  // Return whether to ignore a touch: it is the hand that holds the pen, or a second finger.
  function isStray({ pointerType, isPrimary, timeStamp }) {
    if (pointerType !== "touch") return false;
    if (timeStamp - penSeen < PALM) return true;
    const held = typeof pad.drawing === "number" && canvas.hasPointerCapture(pad.drawing);
    return held && (tool === "pen" || (tool === "touch" && !isPrimary));
  }

  // The hand that holds a pen often touches the sketchpad before the pen does: remove what it drew.
  function removePalm({ timeStamp }) {
    const drawn = touched !== null && pad.ink === touched.ink;
    if (!drawn) return;
    if (pad.drawing === touched.id || timeStamp - pad.ended < PALM) pad.replace(pad.past.pop());
  }

  function liftPointer() {
    if (typeof pad.drawing === "number") pad.endStroke();
  }

  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pad.drawing) return;
    if (isLifted(event)) {
      pad.endStroke();
      return;
    }
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) pad.add(pointOf(each));
    pad.update();
  });

  // Keep a cancelled stroke: the browser also cancels for a call or a system gesture, and Undo is
  // easier than drawing it again. A stroke of the palm is removed when the pen comes.
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    canvas.addEventListener(end, (/** @type {PointerEvent} */ event) => {
      if (event.pointerId === pad.drawing) pad.endStroke();
    });
  }

  // A page in the background may get no more events of the pointer.
  for (const away of ["blur", "pagehide"]) window.addEventListener(away, liftPointer);

  document.addEventListener("visibilitychange", liftPointer);

  // With a menu over the sketchpad, the pointerup of a stroke would be lost.
  canvas.addEventListener("contextmenu", (event) => {
    if (typeof pad.drawing === "number") event.preventDefault();
  });

  // Without this, a browser scrolls on some gestures that touch-action should stop, and iOS selects
  // text or opens its magnifier on quick strokes.
  for (const kind of ["touchstart", "touchmove"]) {
    canvas.addEventListener(kind, (event) => event.preventDefault(), { passive: false });
  }

  function pointOf(event) {
    const box = canvas.getBoundingClientRect();
    const scale = SIDE / canvas.clientWidth;
    const pressed = event.pointerType === "pen" && event.pressure > 0;
    return pad.point(
      (event.clientX - box.left - canvas.clientLeft) * scale,
      (event.clientY - box.top - canvas.clientTop) * scale,
      pressed ? 0.5 + event.pressure : 1, // half is the usual pressure of a pen
    );
  }
}

function isLifted({ pointerType, buttons }) {
  return pointerType === "mouse" ? !(buttons & 1) : buttons === 0;
}
