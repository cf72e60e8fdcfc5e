// Events between the components of a page.

/** @typedef {import("./types").Events} Events */

export const REST = 150; // ms after which a pen that does not move counts as resting
const PATIENCE = 10000; // ms until an answer counts as lost

/**
 * Send an event to all components.
 * @template {keyof Events} K
 * @param {K} kind
 * @param {Events[K]} [detail]
 */
export function tell(kind, detail) {
  document.dispatchEvent(new CustomEvent(kind, { detail }));
}

/**
 * Call a function with the detail of each event of a kind.
 * @template {keyof Events} K
 * @param {K} kind
 * @param {(detail: Events[K]) => void} react
 * @param {AddEventListenerOptions} [options]
 */
export function listen(kind, react, options) {
  const on = (/** @type {CustomEvent} */ event) => react(event.detail);
  document.addEventListener(kind, on, options);
}

/** The parts of a reading that are on the screen. The sketchpad requests them while a stroke is drawn. */
export const visibleParts = new Set();

/**
 * Draw each reading that has a part.
 * @param {Element} element what draws it: while it is out of sight, it gets no reading of a stroke that is not finished
 * @param {"layers" | "added" | "unit" | "why"} part
 * @param {(detail: Events["reading"]) => void} draw
 */
export function onReading(element, part, draw) {
  listen("reading", (detail) => {
    if (part in detail.readings[0]) draw(detail);
  });
  new IntersectionObserver((entries) => {
    const visible = entries.at(-1).isIntersecting; // the newest of the entries
    if (visible) visibleParts.add(part);
    else visibleParts.delete(part);
  }).observe(element);
  tell("joined");
}

/**
 * Reject if a promise takes longer than 10 s.
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export function inTime(promise) {
  let timer = 0;
  /** @type {Promise<never>} */
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("late")), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
