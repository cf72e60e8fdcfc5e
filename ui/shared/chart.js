// Line charts in SVG: axes, lines, legends, sliders and tables.

import { draw, make, onPointing, onWidth, setAttribute, setText } from "./dom.js";
import { figure } from "./numbers.js";

/** @typedef {import("./types").Axes} Axes */
/** @typedef {import("./types").Line} Line */

const LINES = [
  "#2f86d0",
  "#d9730d",
  "#14936b",
  "#a35ccc",
  "#cc4488",
  "#1797a6",
  "#98703a",
  "#7d7d85",
];
const DASHES = ["", "7 3", "2 3"]; // patterns: lines after the last colour use the next one
const TEXT = 12; // px: font size
const FLOOR = 1e-4; // where a logarithmic axis shows 0

/**
 * Return the colour of a line.
 * @param {number} i
 */
export function colourOf(i) {
  return LINES[i % LINES.length];
}

/**
 * Return the stroke-dasharray of a line.
 * @param {number} i
 */
export function dashOf(i) {
  return DASHES[Math.floor(i / LINES.length) % DASHES.length];
}

/**
 * Return a function from a value to its position in px.
 * @param {number[]} ends the lowest and the highest value
 * @param {number[]} positions of both, in px
 * @param {boolean} [log] whether the axis is logarithmic
 */
function scale([low, high], [start, end], log = false) {
  const on = (value) => (log ? Math.log(Math.max(value, FLOOR)) : value);
  const span = on(high) - on(low) || 1;
  return (value) => start + ((on(value) - on(low)) / span) * (end - start);
}

/**
 * Return round numbers along an axis: about five, or 1, 2 and 5 of each power of ten.
 * @param {number[]} ends
 * @param {boolean} [log]
 */
function ticks([low, high], log = false) {
  if (log && high / low > 8) return powers(low, high);
  const rough = (high - low) / 5 || 1;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((part) => part * unit).find((each) => each >= rough * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high * (1 + 1e-9); i += 1) {
    found.push(Number((i * step).toPrecision(12)));
  }
  return found;
}

function powers(low, high) {
  const parts = high / low > 300 ? [1] : [1, 2, 5];
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    found.push(...parts.map((part) => Number(`${part}e${power}`)));
  }
  return found.filter((value) => value >= low * 0.999 && value <= high * 1.001);
}

/**
 * Draw a frame with its axes; return the two scales, the group to draw in and the edges in px.
 * @param {SVGElement} sheet
 * @param {Axes} options
 */
export function axes(
  sheet,
  { width, height, x, y, log = false, label, unit = figure, below, ...stops },
) {
  const [left, right, top, bottom] = [44, width - 12, 24, height - 34];
  const across = scale(x, [left, right]);
  const up = scale(y, [bottom, top], log);
  setAttribute(sheet, "viewBox", `0 0 ${width} ${height}`);
  setAttribute(sheet, "height", height);
  const grid = draw("g", { class: "axes" });
  const write = (text, at) => grid.append(draw("text", at, text));
  for (const value of ticks(y, log)) {
    grid.append(draw("path", { d: `M${left} ${up(value)}H${right}` }));
    write(unit(value), { x: left - 6, y: up(value) + 4, "text-anchor": "end" });
  }
  const { at = ticks(x), named = figure } = stops; // along x: where, and their names
  for (const value of at) {
    write(named(value), { x: across(value), y: bottom + 16, "text-anchor": "middle" });
  }
  write(label, { x: 0, y: TEXT });
  write(below, { x: right, y: height - 3, "text-anchor": "end" });
  const inside = draw("g");
  sheet.replaceChildren(grid, inside);
  return { across, up, inside, left, right, top, bottom };
}

/**
 * Return the `d` of a path through points; null as y interrupts it.
 * @param {(number | null)[][]} points
 * @param {(x: number) => number} across
 * @param {(y: number) => number} up
 */
export function path(points, across, up) {
  let pen = "M";
  let d = "";
  for (const [x, y] of points) {
    if (y === null) pen = "M";
    else {
      d += `${pen}${across(x).toFixed(1)} ${up(y).toFixed(1)}`;
      pen = "L";
    }
  }
  return d;
}

/**
 * Draw lines over x with a cursor; return a function that moves the cursor to an index.
 * @param {SVGElement} sheet
 * @param {Omit<Axes, "width" | "x"> & { xs: number[], lines: Line[], mark: number | null, pick: (i: number) => void }} options `mark` is an x with a vertical line; `pick` gets the index that is pointed at
 */
export function lineChart(sheet, { xs, lines, mark, pick, ...rest }) {
  let at = null;
  let now = 0;
  onWidth(sheet.parentElement, (width) => {
    at = axes(sheet, { width, x: [xs[0], xs.at(-1)], ...rest });
    if (mark !== null) {
      const d = `M${at.across(mark)} ${at.top}V${at.bottom}`;
      at.inside.append(draw("path", { class: "mark", d }));
    }
    for (const { name, values, colour, dash } of lines) {
      const d = path(xs.map((x, i) => [x, values[i]]), at.across, at.up); // prettier-ignore
      const line = {
        class: "line",
        d,
        stroke: colour,
        "stroke-dasharray": dash,
        "data-line": name,
      };
      at.inside.append(draw("path", line));
    }
    at.cursor = draw("g", { class: "cursor" });
    at.inside.append(at.cursor);
    move(now);
  });
  const move = (i) => {
    now = i;
    if (!at) return;
    const x = at.across(xs[i]);
    const dots = lines
      .filter(({ values }) => values[i] !== null)
      .map(({ values, colour }) =>
        draw("circle", { cx: x, cy: at.up(values[i]), r: 3.5, fill: colour }),
      );
    at.cursor.replaceChildren(draw("path", { d: `M${x} ${at.top}V${at.bottom}` }), ...dots);
  };
  onPoint(sheet, (x) => {
    let nearest = 0;
    xs.forEach((value, i) => {
      if (Math.abs(at.across(value) - x) < Math.abs(at.across(xs[nearest]) - x)) nearest = i;
    });
    pick(nearest);
  });
  return move;
}

/**
 * Call a function with the x in px where a mouse points or a finger taps.
 * @param {Element} sheet
 * @param {(x: number) => void} tellAt
 */
export function onPoint(sheet, tellAt) {
  onPointing(sheet, (event) => tellAt(event.clientX - sheet.getBoundingClientRect().left));
}

/**
 * Create a slider over the points of a plot: the same as pointing, for the keyboard and for
 * fingers.
 * @param {string} name prefix of the test id
 * @param {{ label: string, count: number, first: number, says: (i: number) => string, move: (i: number) => void }} options
 */
export function slider(name, { label, count, first, says, move }) {
  const range = make("input", { type: "range", min: 0, max: count - 1, step: 1, value: first });
  range.dataset.testid = `${name}-slider`;
  const go = (i) => {
    range.value = i;
    setAttribute(range, "aria-valuetext", says(i));
    move(i);
  };
  range.addEventListener("input", () => go(Number(range.value)));
  return { element: make("label", { class: "slide" }, label, range), go };
}

/**
 * Create a fold with a table, which is filled when the fold is opened.
 * @param {string} name prefix of the test id
 * @param {string} summary
 * @param {string[]} heads
 * @param {() => (string | Node)[][]} rows
 */
export function numbers(name, summary, heads, rows) {
  const fold = make("details", {}, make("summary", {}, summary));
  fold.dataset.testid = `${name}-table`;
  fold.addEventListener("toggle", () => {
    if (fold.children.length > 1) return;
    const body = rows().map((row) =>
      make(
        "tr",
        {},
        ...row.map((cell, i) => make(i ? "td" : "th", i ? {} : { scope: "row" }, cell)),
      ),
    );
    const head = make("tr", {}, ...heads.map((each) => make("th", { scope: "col" }, each)));
    const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
    const about = { class: "scroll tall", tabindex: 0, role: "region", "aria-label": summary };
    fold.append(make("div", about, table));
  });
  return fold;
}

/**
 * Create a table of the lines' names and their values at the cursor; `show` fills it.
 * @param {string} name prefix of the test ids
 * @param {Line[]} lines
 * @param {{ bars?: boolean }} [options]
 */
export function values(name, lines, { bars = false } = {}) {
  const rows = lines.map(({ name: text, colour, dash }) => {
    const key = draw("svg", { class: "swatch", viewBox: "0 0 24 8", "aria-hidden": "true" });
    key.append(draw("path", { d: "M0 4H24", stroke: colour, "stroke-dasharray": dash }));
    const value = make("td");
    value.dataset.testid = `${name}-${text}`;
    const row = make("tr", {}, make("th", { scope: "row" }, key, text), value);
    if (bars) row.append(make("td", { class: "bar", "aria-hidden": "true" }, make("i")));
    return row;
  });
  const table = make("table", { class: "values" }, make("tbody", {}, ...rows));
  const show = (texts, shares) => {
    rows.forEach((row, k) => {
      setText(row.children[1], texts[k]);
      if (bars) {
        row.querySelector("i").style.cssText =
          `width: ${100 * shares[k]}%; background: ${lines[k].colour}`;
      }
    });
  };
  return { table, show };
}

/**
 * Create an SVG sheet in a box.
 * @param {string} [className]
 */
export function panel(className = "") {
  const sheet = draw("svg", { class: "sheet", width: "100%", "aria-hidden": "true" });
  return { sheet, box: make("div", { class: `panel ${className}` }, sheet) };
}

/**
 * Return the smallest and the largest number of lists, with a margin for a logarithmic axis.
 * @param {(number | null)[][]} lists
 * @param {boolean} [log]
 * @returns {[number, number]}
 */
export function extent(lists, log) {
  const all = lists.flat().filter((value) => value !== null && (!log || value > 0));
  const [low, high] = [Math.min(...all), Math.max(...all)];
  if (!all.length) return [FLOOR, 1];
  return log ? [low / 1.15, high * 1.15] : [low, high];
}

/**
 * Create a legend of marks.
 * @param {[className: string, text: string][]} keys
 */
export function legendOf(keys) {
  return make(
    "ul",
    { class: "keys" },
    ...keys.map(([kind, text]) => make("li", {}, make("i", { class: `swatch ${kind}` }), text)),
  );
}
