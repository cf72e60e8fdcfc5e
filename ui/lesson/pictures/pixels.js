// Picture of the 28 × 28 numbers, with a table of those around one pixel.

import { SIZE } from "../../shared/constants.js";
import { bytes } from "../../shared/pixels.js";
import { heardAt } from "../parts.js";
import { inputOf, seenOf } from "../reading.js";
import { make, onWidth, setText, tested } from "../../shared/dom.js";

/** @typedef {import("../../shared/types").Picture} Picture */
/** @typedef {import("../../shared/types").Numbers} Numbers */

const LOUPE = 5; // numbers across what is shown enlarged, as across the text's slice
const BRIGHT = 117; // of 255: black letters are seen better than white ones above it

function asTensor(row, column) {
  return `drawing[0, ${row}:${row + LOUPE}, ${column}:${column + LOUPE}]`;
}

// 28 × 28 squares with thin lines between them, and a frame around what is enlarged.
/**
 * @param {HTMLCanvasElement} canvas
 * @param {Uint8Array} seen
 * @param {number[]} corner row and column of what is enlarged
 * @param {number[]} at row and column
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
  brush.strokeStyle = "#56b4e9";
  brush.strokeRect(left * step - line, top * step - line, LOUPE * step + line, LOUPE * step + line);
  brush.lineWidth = 3 * line;
  brush.strokeStyle = "#e69f00";
  brush.strokeRect(column * step - line, row * step - line, step + line, step + line);
}

// The numbers around one pixel, as a table with the rows and columns that they are from.
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
  return { table: tested("pixel-values", table), show };
}

const STEPS_OF_KEYS = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};

/** @type {Picture} */
export function pixelsPicture(box) {
  const canvas = tested("pixels", make("canvas", { tabindex: 0, role: "application" }));
  canvas.setAttribute("aria-label", "The 28 × 28 numbers: arrow keys walk from one to the next");
  const near = loupe();
  const value = tested("pixel-value", make("p", { class: "readout" }));
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
    canvas.width = canvas.height = SIZE * step; // whole pixels: all squares are alike
    canvas.style.width = `${(SIZE * step) / devicePixelRatio}px`;
    show();
  });
  return (reading) => {
    last = reading;
    show();
  };
}

// Go where the pointer is or the arrow keys lead.
function walk(canvas, value, at, go) {
  for (const kind of ["pointermove", "click"]) {
    canvas.addEventListener(kind, (event) => {
      if (event.pointerType === "touch" && kind !== "click") return; // a finger that scrolls
      const step = canvas.clientWidth / SIZE;
      go([Math.floor(event.offsetY / step), Math.floor(event.offsetX / step)]);
    });
  }
  canvas.addEventListener("keydown", (event) => {
    const step = STEPS_OF_KEYS[event.key];
    if (!step) return;
    event.preventDefault();
    go(at().map((each, i) => each + step[i]));
  });
  heardAt(canvas, value);
}
