// Picture of 28 rows that become one row of 784 numbers.

import { N_PIXELS, SIZE } from "../../shared/constants.js";
import { NEGATIVE, drawSeen } from "../../shared/pixels.js";
import { make, onPointing, onWidth, setText, withTestId } from "../../shared/dom.js";
import { mapOf } from "../parts.js";
import { seenOf } from "../reading.js";
import { slider } from "../../shared/chart.js";

/** @typedef {import("../../shared/types").Picture} Picture */

const LINES_OF_STRIP = [4, 7]; // number of lines for the 784 pixels, on a wide and on a narrow screen
const NARROW = 480; // px

// Draw 784 pixels in several lines, each as long as some rows of the picture.
function drawStrip(canvas, seen, lines, row) {
  const [wide, tall] = [canvas.width / (N_PIXELS / lines), canvas.height / lines];
  const gap = tall * 0.3;
  const brush = canvas.getContext("2d");
  brush.clearRect(0, 0, canvas.width, canvas.height);
  brush.fillStyle = "#000"; // a background, as the ink would be invisible on a white page
  for (let k = 0; k < lines; k += 1)
    brush.fillRect(0, (k + 0.06) * tall, canvas.width, 0.88 * tall);
  const small = new OffscreenCanvas(SIZE, SIZE);
  drawSeen(small, seen);
  brush.imageSmoothingEnabled = false;
  for (let i = 0; i < SIZE; i += 1) {
    const [x, y] = placeOf(i, lines);
    brush.drawImage(small, 0, i, SIZE, 1, x * wide, y * tall + gap / 2, SIZE * wide, tall - gap);
    brush.fillStyle = "#7a7a7a";
    if (x) brush.fillRect(Math.round(x * wide), y * tall + gap / 2, 1, tall - gap);
  }
  const [x, y] = placeOf(row, lines);
  frameOn(brush, x * wide, y * tall + gap / 2, SIZE * wide, tall - gap);
}

// Return where a row of the picture begins in the strip: pixels from the left, and the line.
function placeOf(row, lines) {
  const each = SIZE / lines;
  return [(row % each) * SIZE, Math.floor(row / each)];
}

function frameOn(brush, x, y, width, height) {
  const line = Math.max(2, Math.round(brush.canvas.width / 250));
  brush.lineWidth = line;
  brush.strokeStyle = `rgb(${NEGATIVE})`;
  brush.strokeRect(x + line / 2, y + line / 2, width - line, height - line);
}

function drawRows(canvas, seen, row) {
  const step = canvas.width / SIZE;
  const small = new OffscreenCanvas(SIZE, SIZE);
  drawSeen(small, seen);
  const brush = canvas.getContext("2d");
  brush.imageSmoothingEnabled = false;
  brush.drawImage(small, 0, 0, canvas.width, canvas.height);
  frameOn(brush, 0, (row - 0.25) * step, canvas.width, 1.5 * step);
}

/** @type {Picture} */
export function flattenPicture(box) {
  const about = (says) => ({ role: "img", "aria-label": says });
  const square = mapOf(8 * SIZE, about("28 rows of 28 pixels"));
  const strip = make("canvas", about("The same 784 pixels in one row, broken into lines"));
  const says = (row) => `Row ${row} becomes pixels ${row * SIZE} to ${(row + 1) * SIZE - 1}`;
  const title = withTestId("flatten-at", make("p", { class: "readout" }));
  let [now, lines, last] = [SIZE / 2, LINES_OF_STRIP[0], null];
  const show = () => {
    if (!last || !strip.width) return;
    drawRows(square, seenOf(last), now);
    drawStrip(strip, seenOf(last), lines, now);
  };
  const control = slider("flatten", {
    label: "Row",
    count: SIZE,
    first: now,
    says,
    move: (row) => {
      now = row;
      setText(title, `${says(row)} of 784.`);
      show();
    },
  });
  const place = make("div", { class: "strip" }, strip);
  const side = make("div", {}, title, control.element);
  box.append(withTestId("flatten", make("div", { class: "rows" }, square, side)), place);
  pointAtRows(square, ({ y }) => control.go(Math.floor(SIZE * y)));
  pointAtRows(strip, ({ x, y }) => {
    const each = SIZE / lines;
    control.go(each * Math.floor(lines * y) + Math.floor(each * x));
  });
  onWidth(place, (width) => {
    lines = LINES_OF_STRIP[Number(width < NARROW)];
    strip.width = Math.round(width * devicePixelRatio);
    strip.height = Math.round(lines * 30 * devicePixelRatio);
    show();
  });
  control.go(now);
  return (reading) => {
    last = reading;
    show();
  };
}

// Call a function with the position of the pointer, as shares of the canvas's size, below 1.
function pointAtRows(canvas, tellAt) {
  const inside = (value) => Math.max(0, Math.min(0.9999, value));
  onPointing(canvas, ({ offsetX, offsetY }) => {
    tellAt({ x: inside(offsetX / canvas.clientWidth), y: inside(offsetY / canvas.clientHeight) });
  });
}
