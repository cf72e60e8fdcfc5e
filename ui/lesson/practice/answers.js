// What the visitor's network reads, beside the lesson's network.

import { DIGITS, SIZE } from "../../shared/constants.js";
import { inTime, listen } from "../../shared/events.js";
import { make, setText, tested } from "../../shared/dom.js";
import { percent } from "../../shared/numbers.js";

const BETWEEN = 8; // ms between a response and the next request
const MULTIPLIED =
  "without ReLU its two layers were multiplied out to one, which gives the same logits";

/**
 * Show what the visitor's network reads beside what the lesson's network reads, of the same ink.
 * @param {string} name of the lesson's network
 * @param {(ink: object) => Promise<any>} ask
 */
export function practiceAnswers(name, ask) {
  const title = tested("yours-answer", make("p", { class: "readout" }));
  const differs = tested("yours-differs", make("p", { class: "note" }));
  const about = tested("yours-about", make("p", { class: "note" }));
  const rows = DIGITS.map(answerRow);
  const heads = ["yours", name].map((each) => make("th", { scope: "col", colspan: 2 }, each));
  const head = make("thead", {}, make("tr", {}, make("td"), ...heads));
  const widths = make("colgroup", {}, ...["digit", "", "share", "", "share"].map(columnOf));
  const table = make("table", { class: "answers" }, widths, head, make("tbody", {}, ...rows));
  const element = make(
    "div",
    { hidden: "" },
    make("h3", {}, "What it reads"),
    title,
    table,
    differs,
    about,
  );
  let ink = null; // of the newest reading
  let reading = null;
  let known = false; // whether there is a network
  let changed = false;
  let open = false;

  async function go() {
    if (open || !changed || !known || !ink) return;
    open = true;
    changed = false;
    const theirs = reading;
    try {
      const answer = await inTime(ask(ink));
      if (answer.error) setText(title, answer.error);
      else show(answer, theirs);
    } catch {
      setText(title, "No answer from the server: draw on to ask again.");
    }
    setTimeout(() => {
      open = false;
      go();
    }, BETWEEN);
  }

  function show(mine, theirs) {
    setText(title, `Your network ${readsOf(mine)}`);
    setText(differs, differenceOf(mine, theirs, name));
    const sizes = [SIZE ** 2, ...mine.hidden_sizes, 10].join(" → ");
    setText(about, `Yours: ${sizes}${mine.hidden_sizes.length ? "" : `; ${MULTIPLIED}`}.`);
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
    go();
  }

  function offer(isThere, { anew }) {
    known = isThere;
    element.hidden = !known;
    changed ||= anew && reading !== null;
    go();
  }

  listen("reading", ({ asks }) => {
    ink = { strokes: asks.strokes, picture: asks.picture ?? null };
  });
  return { element, update, offer };
}

function columnOf(className) {
  return make("col", { class: className });
}

function answerRow(digit) {
  const bar = (whose) => make("td", { class: `bar ${whose}`, "aria-hidden": "true" }, make("i"));
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, `${digit}`),
    bar("yours"),
    tested(`yours-probability-${digit}`, make("td")),
    bar("theirs"),
    tested(`theirs-probability-${digit}`, make("td")),
  );
}

function readsOf({ verdict, digit, confidence }) {
  if (verdict === "blank") return "waits for a drawing";
  if (verdict === "not_a_digit") return "reads: not a digit";
  return `reads ${digit} · ${percent(confidence)}`;
}

function differenceOf(mine, theirs, name) {
  if (mine.verdict === "blank") return "";
  if (theirs.verdict === "not_a_digit") {
    return `They differ: ${name} takes this for no digit, and yours knows nothing but digits.`;
  }
  if (mine.digit === theirs.digit) return `Both read ${mine.digit}.`;
  return `They differ: yours reads ${mine.digit}, ${name} reads ${theirs.digit}.`;
}
