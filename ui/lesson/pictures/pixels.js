// Picture of the 28 × 28 numbers, with a table of the numbers around one pixel.

import { SIZE } from "../../shared/constants.js";
import { NEGATIVE, POSITIVE, bytes } from "../../shared/pixels.js";
import { heardAt } from "../parts.js";
import { inputOf, seenOf } from "../reading.js";
import { make, onPointing, onWidth, setText, withTestId } from "../../shared/dom.js";

/** @typedef {import("../../shared/types").Picture} Picture */
/** @typedef {import("../../shared/types").Numbers} Numbers */

const LOUPE = 5; // width of the enlarged part, equal to that of the slice in the text
const BRIGHT = 117; // of 255: on brighter pixels, black letters are easier to read than white ones

function asTensor(row, column) {
  return `drawing[0, ${row}:${row + LOUPE}, ${column}:${column + LOUPE}]`;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Uint8Array} seen
 * @param {number[]} corner first row and column of the enlarged part
 * @param {number[]} at row and column of the chosen pixel
 */
function drawPixels(canvas, seen, [top, left], [row, column]) {
  const step = canvas.width / SIZE;
  const line = Math.max(1, Math.round(step / 16));
  const brush = canvas.getContext("2d");
  brush.fillStyle = "#3c3c44";
  brush.fillRect(0, 0, canvas.width, canvas.height);
  seen.forEach((value, i) => {
    brush.fillStyle = `rgb(${value} ${value} ${value})`;
    const [x, y] = [(i % SIZE) * step, Math.floor(i / SIZE) * step];
    brush.fillRect(x, y, step - line, step - line);
  });
  brush.lineWidth = 2 * line;
  brush.strokeStyle = `rgb(${POSITIVE})`;
  brush.strokeRect(left * step - line, top * step - line, LOUPE * step + line, LOUPE * step + line);
  brush.lineWidth = 3 * line;
  brush.strokeStyle = `rgb(${NEGATIVE})`;
  brush.strokeRect(column * step - line, row * step - line, step + line, step + line);
}

// Create a table of the numbers around one pixel, with the indices of rows and columns.
function loupe() {
  const cells = Array.from({ length: LOUPE * LOUPE }, () => make("td"));
  const columns = Array.from({ length: LOUPE }, () => make("th", { scope: "col" }));
  const rows = Array.from({ length: LOUPE }, () => make("th", { scope: "row" }));
  const lines = rows.map((head, i) =>
    make("tr", {}, head, ...cells.slice(i * LOUPE, (i + 1) * LOUPE)),
  );
  const name = make("code");
  const head = make("tr", {}, make("td"), ...columns);
  const body = make("tbody", {}, ...lines);
  const table = make("table", {}, make("caption", {}, name), make("thead", {}, head), body);
  /** @type {(input: Numbers, corner: number[], at: number[]) => void} */
  const show = (input, [top, left], [row, column]) => {
    setText(name, asTensor(top, left));
    columns.forEach((each, i) => setText(each, `${left + i}`));
    rows.forEach((each, i) => setText(each, `${top + i}`));
    cells.forEach((cell, i) => {
      const [y, x] = [top + Math.floor(i / LOUPE), left + (i % LOUPE)];
      const value = input[y * SIZE + x];
      const grey = Math.round(255 * value);
      setText(cell, value.toFixed(2));
      cell.style.cssText = `background: rgb(${grey} ${grey} ${grey}); color: ${grey > BRIGHT ? "#000" : "#fff"}`;
      cell.classList.toggle("at", y === row && x === column);
    });
  };
  return { table: withTestId("pixel-values", table), show };
}

const STEPS_OF_KEYS = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};

/** @type {Picture} */
export function pixelsPicture(box) {
  const canvas = withTestId("pixels", make("canvas", { tabindex: 0, role: "application" }));
  canvas.setAttribute("aria-label", "The 28 × 28 numbers: move between them with the arrow keys");
  const near = loupe();
  const value = withTestId("pixel-value", make("p", { class: "readout" }));
  const place = make("div", { class: "grid" }, canvas);
  box.append(place, make("div", { class: "near" }, value, near.table));
  let at = [SIZE / 2, SIZE / 2]; // row and column
  let last = null;
  const show = () => {
    if (!last || !canvas.width) return;
    const corner = at.map((each) => Math.max(0, Math.min(SIZE - LOUPE, each - (LOUPE >> 1))));
    const input = inputOf(last);
    drawPixels(canvas, bytes(seenOf(last)), corner, at);
    near.show(input, corner, at);
    setText(value, `row ${at[0]}, column ${at[1]}: ${input[at[0] * SIZE + at[1]].toFixed(2)}`);
  };
  const go = (next) => {
    at = next.map((each) => Math.max(0, Math.min(SIZE - 1, each)));
    show();
  };
  walk(canvas, value, () => at, go);
  onWidth(place, (width) => {
    const step = Math.max(1, Math.floor((width * devicePixelRatio) / SIZE));
    canvas.width = canvas.height = SIZE * step; // whole pixels, so that all squares have the same size
    canvas.style.width = `${(SIZE * step) / devicePixelRatio}px`;
    show();
  });
  return (reading) => {
    last = reading;
    show();
  };
}

// Follow the pointer and the arrow keys.
function walk(canvas, value, at, go) {
  onPointing(canvas, ({ offsetX, offsetY }) => {
    const step = canvas.clientWidth / SIZE;
    go([Math.floor(offsetY / step), Math.floor(offsetX / step)]);
  });
  canvas.addEventListener("keydown", (event) => {
    const step = STEPS_OF_KEYS[event.key];
    if (!step) return;
    event.preventDefault();
    go(at().map((each, i) => each + step[i]));
  });
  heardAt(canvas, value);
}
