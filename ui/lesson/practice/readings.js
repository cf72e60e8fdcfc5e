// What the visitor's network reads, next to what the lesson's network reads.

import { DIGITS, SIZE } from "../../shared/constants.js";
import { inTime, listen } from "../../shared/events.js";
import { make, setText, withTestId } from "../../shared/dom.js";
import { percent } from "../../shared/numbers.js";

const PAUSE = 8; // ms between a response and the next request
const WITHOUT_RELU =
  "without ReLU, its two layers are combined into one, which gives the same logits";

/**
 * Show what both networks read of the same ink.
 * @param {string} name of the lesson's network
 * @param {(ink: object) => Promise<any>} ask the visitor's network
 */
export function practiceReadings(name, ask) {
  const title = withTestId("yours-answer", make("p", { class: "readout" }));
  const differs = withTestId("yours-differs", make("p", { class: "note" }));
  const about = withTestId("yours-about", make("p", { class: "note" }));
  const rows = DIGITS.map(rowOf);
  const heads = ["yours", name].map((each) => make("th", { scope: "col", colspan: 2 }, each));
  const head = make("thead", {}, make("tr", {}, make("td"), ...heads));
  const columns = ["digit", "", "share", "", "share"].map((kind) => make("col", { class: kind }));
  const table = make(
    "table",
    { class: "answers" },
    make("colgroup", {}, ...columns),
    head,
    make("tbody", {}, ...rows),
  );
  const heading = make("h3", {}, "What it reads");
  const element = make("div", { hidden: "" }, heading, title, table, differs, about);
  let ink = null;
  let reading = null; // of the ink, by the lesson's network
  let known = false; // whether there is a network
  let changed = false; // since the last request
  let open = false; // whether a request is in progress

  async function request() {
    if (open || !changed || !known || !ink) return;
    open = true;
    changed = false;
    const theirs = reading;
    const response = await inTime(ask(ink)).catch(() => null);
    if (response && !response.error) show(response, theirs);
    else
      setText(
        title,
        response?.error ?? "The server did not respond. Continue drawing to try again.",
      );
    setTimeout(() => {
      open = false;
      request();
    }, PAUSE);
  }

  function show(mine, theirs) {
    setText(title, readsText(mine));
    setText(differs, differenceText(mine, theirs, name));
    const sizes = [SIZE ** 2, ...mine.hidden_sizes, 10].join(" → ");
    setText(about, `Yours: ${sizes}${mine.hidden_sizes.length ? "" : `; ${WITHOUT_RELU}`}.`);
    rows.forEach((row, digit) => {
      [mine, theirs].forEach((answer, i) => {
        const p = answer.probabilities?.[digit] ?? null;
        row.querySelectorAll("i")[i].style.width = `${100 * (p ?? 0)}%`;
        const cell = row.children[2 * i + 2];
        setText(cell, p === null ? "–" : percent(p));
        cell.classList.toggle("best", answer.digit === digit);
      });
    });
  }

  function update(next) {
    reading = next;
    changed = true;
    request();
  }

  function offer(hasNetwork, { changed: isNew }) {
    known = hasNetwork;
    element.hidden = !known;
    changed ||= isNew && reading !== null;
    request();
  }

  listen("reading", ({ request: { strokes, picture } }) => {
    ink = { strokes, picture: picture ?? null };
  });
  return { element, update, offer };
}

function rowOf(digit) {
  const cells = ["yours", "theirs"].flatMap((whose) => [
    make("td", { class: `bar ${whose}`, "aria-hidden": "true" }, make("i")),
    withTestId(`${whose}-probability-${digit}`, make("td")),
  ]);
  return make("tr", {}, make("th", { scope: "row" }, `${digit}`), ...cells);
}

function readsText({ verdict, digit, confidence }) {
  if (verdict === "blank") return "Draw a digit to see its answer";
  if (verdict === "not_a_digit") return "Your network reads: not a digit";
  return `Your network reads ${digit} · ${percent(confidence)}`;
}

function differenceText(mine, theirs, name) {
  if (mine.verdict === "blank") return "";
  if (theirs.verdict === "not_a_digit") {
    return `They differ: ${name} reads “not a digit”, and yours can only tell digits apart.`;
  }
  if (mine.digit === theirs.digit) return `Both read ${mine.digit}.`;
  return `They differ: yours reads ${mine.digit}, ${name} reads ${theirs.digit}.`;
}
