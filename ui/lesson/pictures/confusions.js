// Picture of the digits that are confused most often.

import { DIGITS } from "../../shared/constants.js";
import { make, withTestId } from "../../shared/dom.js";
import { whole } from "../../shared/numbers.js";

/** @typedef {import("../../shared/types").Picture} Picture */

const MOST_CONFUSED = 8; // of 90 pairs of digits

// Return the pairs that a network confuses most often: [label, digit].
function mostConfused(confusion) {
  const pairs = DIGITS.flatMap((label) => DIGITS.map((digit) => [label, digit]));
  const wrong = pairs.filter(([label, digit]) => label !== digit);
  wrong.sort(([a, b], [c, d]) => confusion[c][d] - confusion[a][b]);
  return wrong.slice(0, MOST_CONFUSED);
}

function wrongOf(confusion) {
  return confusion.flat().reduce((sum, count) => sum + count, 0) - DIGITS.reduce((sum, i) => sum + confusion[i][i], 0); // prettier-ignore
}

/** @type {Picture} */
export function confusionsPicture(box, { figures: { confusions } }) {
  const names = Object.keys(confusions);
  const pairs = mostConfused(confusions[names[0]]);
  const most = confusions[names[0]][pairs[0][0]][pairs[0][1]];
  const cell = (count, name) => {
    const bar = make("i", { class: "amount", "aria-hidden": "true" });
    bar.style.width = `calc((100% - 3em) * ${count / most})`;
    return make("td", {}, withTestId(name, make("span", {}, whole(count))), bar);
  };
  const rows = pairs.map(([label, digit]) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, `${label} read as ${digit}`),
      ...names.map((name) =>
        cell(confusions[name][label][digit], `confused-${label}-${digit}-${name}`),
      ),
    ),
  );
  const heads = names.map((name) => make("th", { scope: "col" }, name));
  const sums = names.map((name) =>
    make("td", {}, withTestId(`wrong-${name}`, make("span", {}, whole(wrongOf(confusions[name]))))),
  );
  const foot = make("tr", {}, make("th", { scope: "row" }, "all wrong answers"), ...sums);
  const head = make("tr", {}, make("td"), ...heads);
  const parts = [make("thead", {}, head), make("tfoot", {}, foot)];
  box.append(
    withTestId("confusions", make("table", {}, parts[0], make("tbody", {}, ...rows), parts[1])),
  );
}
