// Create and update elements.

/**
 * Create a bar from the middle: to the right if positive, to the left if negative.
 * @param {number} share -1 to 1
 */
export function signedBar(share) {
  const track = make("span", { class: "track" }, make("i"));
  setBar(track, share);
  return track;
}

/**
 * Set the length of a bar of signedBar.
 * @param {Element} track
 * @param {number} share -1 to 1
 */
export function setBar(track, share) {
  const level = /** @type {HTMLElement} */ (track.firstElementChild);
  level.className = share < 0 ? "negative" : "positive";
  level.style.cssText = `width: ${50 * Math.abs(share)}%; ${share < 0 ? "right" : "left"}: 50%`;
}

/**
 * Set a text if it has changed: an unchanged text then costs the browser no layout.
 * @param {Element} part
 * @param {string} text
 */
export function setText(part, text) {
  if (part.textContent !== text) part.textContent = text;
}

/**
 * Set an attribute if it has changed.
 * @param {Element} part
 * @param {string} name
 * @param {unknown} value
 */
export function setAttribute(part, name, value) {
  if (part.getAttribute(name) !== `${value}`) part.setAttribute(name, `${value}`);
}

/**
 * Let the keyboard reach the boxes that scroll.
 * @param {Element} article
 */
export function letReach(article) {
  for (const box of article.querySelectorAll(".scroll, pre")) {
    if (box.scrollWidth > box.clientWidth) box.setAttribute("tabindex", "0");
  }
}

/**
 * Create an HTML element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {(Node | string)[]} inside
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...inside) {
  const part = document.createElement(tag);
  return fill(part, attributes, inside);
}

/**
 * Create an SVG element.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {(Node | string)[]} inside
 * @returns {SVGElementTagNameMap[K]}
 */
export function draw(tag, attributes = {}, ...inside) {
  const part = document.createElementNS("http://www.w3.org/2000/svg", tag);
  return fill(part, attributes, inside);
}

function fill(part, attributes, inside) {
  for (const [name, value] of Object.entries(attributes)) part.setAttribute(name, value);
  part.append(...inside);
  return part;
}

/**
 * Call a function when a mouse points at an element or a press chooses it. A finger that only moves
 * may be scrolling.
 * @param {Element} part
 * @param {(event: PointerEvent, isPress: boolean) => void} react
 * @param {string[]} [kinds] of events
 */
export function onPointing(part, react, kinds = ["pointermove", "click"]) {
  for (const kind of kinds) {
    part.addEventListener(kind, (/** @type {PointerEvent} */ event) => {
      const isPress = kind === "click";
      if (event.pointerType !== "touch" || isPress) react(event, isPress);
    });
  }
}

/**
 * Call `redraw` with the width of an element, now and whenever it changes, so that the letters
 * of a plot keep their size.
 * @param {Element} part
 * @param {(width: number) => void} redraw
 */
export function onWidth(part, redraw) {
  let last = 0;
  new ResizeObserver(([entry]) => {
    const width = Math.round(entry.contentRect.width);
    if (width && width !== last) redraw((last = width));
  }).observe(part);
}

/**
 * Let Tab reach one of the buttons and the arrow keys the others.
 * @param {HTMLElement[]} buttons
 * @param {() => number} wide number of buttons in a row
 * @param {(i: number, isPress: boolean) => void} react gets the button that is pointed at, focused or pressed
 */
export function roving(buttons, wide, react) {
  const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -wide(), ArrowDown: wide() };
  buttons.forEach((button, i) => {
    button.tabIndex = i ? -1 : 0;
    onPointing(button, (_, isPress) => react(i, isPress), ["pointerenter", "focus", "click"]);
    button.addEventListener("focus", () => {
      for (const each of buttons) each.tabIndex = each === button ? 0 : -1;
    });
    button.addEventListener("keydown", (event) => {
      moves.ArrowUp = -(moves.ArrowDown = wide());
      const next = buttons[i + (moves[event.key] ?? 0)];
      if (!(event.key in moves) || !next) return;
      event.preventDefault();
      next.focus();
    });
  });
}

/**
 * Set the test id of an element, and return it.
 * @template {HTMLElement | SVGElement} T
 * @param {string} name
 * @param {T} part
 * @returns {T}
 */
export function withTestId(name, part) {
  part.dataset.testid = name;
  return part;
}

/**
 * Return a function that returns the number of columns of a grid.
 * @param {Element} grid
 */
export function wideOf(grid) {
  return () => getComputedStyle(grid).gridTemplateColumns.split(" ").length;
}

/**
 * Fill a grid with buttons of which one is chosen by a press. Tab reaches one of them and the
 * arrow keys the others.
 * @param {HTMLElement} grid
 * @param {HTMLElement[]} buttons
 * @param {(i: number) => void} choose
 */
export function choices(grid, buttons, choose) {
  grid.append(...buttons);
  roving(buttons, wideOf(grid), (i, isPress) => {
    if (isPress) choose(i);
  });
}

/**
 * Mark one of the buttons as pressed.
 * @param {HTMLElement[]} buttons
 * @param {number} chosen
 */
export function press(buttons, chosen) {
  buttons.forEach((button, i) => setAttribute(button, "aria-pressed", i === chosen));
}
