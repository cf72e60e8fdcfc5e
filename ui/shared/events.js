// Events between the components of a page.

/** @typedef {import("./types").Events} Events */

export const REST = 150; // ms without a new reading
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

/**
 * Draw each reading: at once while the element is visible, otherwise when the drawing rests, so
 * that what is out of sight does not slow down the pen.
 * @param {Element} element
 * @param {(detail: Events["reading"]) => void} draw
 */
export function onReading(element, draw) {
  let detail = null;
  let visible = true;
  let waiting = 0;
  const flush = () => {
    clearTimeout(waiting);
    waiting = 0;
    if (detail) draw(detail);
    detail = null;
  };
  listen("reading", (next) => {
    detail = next;
    clearTimeout(waiting);
    if (visible) flush();
    else waiting = setTimeout(flush, REST);
  });
  new IntersectionObserver((entries) => {
    visible = entries.at(-1).isIntersecting; // the newest of the entries
    if (visible) flush();
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
  /** @type {Promise<never>} */
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("late")), PATIENCE));
  return Promise.race([promise, late]);
}
