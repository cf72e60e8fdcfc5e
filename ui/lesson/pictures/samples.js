// Picture of distorted MNIST digits and of synthetic digits.

import { choices, make, press } from "../../shared/dom.js";
import { drawSeen } from "../../shared/pixels.js";
import { inkOfPixels } from "../../shared/sketch.js";
import { pictureButton } from "../parts.js";
import { tell } from "../../shared/events.js";

/** @typedef {import("../../shared/types").Picture} Picture */

/** @type {Picture} */
export function samplesPicture(box, { samples: { distorted, pens } }) {
  let chosen = 0;
  const shelf = (title, className, buttons, choose) => {
    const grid = make("div", { class: `tiles ${className}`, role: "group", "aria-label": title });
    choices(grid, buttons, choose);
    box.append(make("p", { class: "title" }, title), grid);
  };
  const put = (pixels) => tell("load", { ink: inkOfPixels(pixels) });
  const originals = distorted.map(([pixels], digit) =>
    pictureButton(`sample-digit-${digit}`, pixels, null, `MNIST’s ${digit}`),
  );
  const same = distorted[chosen].map((pixels, k) =>
    pictureButton(`sample-distorted-${k}`, pixels, null, k ? `Distortion ${k}` : "Unchanged"),
  );
  const byRow = pens[0].flatMap((_, k) => pens.map((row, digit) => [digit, k, row[k]]));
  const synthetic = byRow.map(([digit, k, pixels]) =>
    pictureButton(`sample-pen-${digit}-${k}`, pixels, null, `Synthetic ${digit}, number ${k + 1}`),
  );
  const choose = (digit) => {
    chosen = digit;
    press(originals, digit);
    same.forEach((button, k) => drawSeen(button.firstElementChild, distorted[digit][k]));
  };
  shelf("MNIST digits: choose one", "eight", originals, (digit) => {
    choose(digit);
    put(distorted[digit][0]);
  });
  shelf("The chosen digit, unchanged and distorted", "eight", same, (k) =>
    put(distorted[chosen][k]),
  );
  shelf("Synthetic digits", "ten", synthetic, (i) => put(byRow[i][2]));
  const note = "The image that you choose is put on the sketchpad. Undo restores your drawing.";
  box.append(make("p", { class: "note" }, note));
  choose(chosen);
}
