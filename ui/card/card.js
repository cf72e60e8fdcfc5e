// The page of a model card: text and plots.

import { PLOTS } from "./plots.js";
import { SAVED, tab } from "../shared/storage.js";
import { letReach, make } from "../shared/dom.js";

/** @typedef {import("../shared/types").Start} Start */

const LEFT = "card-left"; // key in `tab` of the last address and its scroll position
const NUMBER =
  /^(above |below |[−+-])?\d[\d.,]*( ?(%|points|px|ms|s|min|bytes))?( \((by writer )?[\d., to]+\))?$/; // a number with its unit and interval

// Return the model that the link names, otherwise that of the sketchpad.
function wanted() {
  return new URLSearchParams(location.search).get("model") || tab.get(SAVED)?.model;
}

function whereLeft() {
  if (performance.getEntriesByType("navigation")[0]?.toJSON().type === "navigate") return null;
  const left = tab.get(LEFT);
  return left?.address === location.href ? left.y : null;
}

// Align columns of numbers to the right, with their heads.
function alignNumbers(table) {
  const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
  for (const head of table.tHead?.rows[0]?.cells ?? []) {
    const column = [head, ...rows.map((row) => row.cells[head.cellIndex])].filter(Boolean);
    const isNumber = (cell) => NUMBER.test(cell.textContent.trim());
    if (rows.length && column.slice(1).every(isNumber)) {
      for (const cell of column) cell.classList.add("number");
    }
  }
}

function plotted({ plot, alt }, figures, linkTo) {
  const box = make("figure", { class: "plot", role: "figure", "aria-label": alt });
  box.dataset.testid = `plot-${plot}`;
  const mistakes = figures.mistakes?.mistakes ?? [];
  if (plot in figures) PLOTS[plot](box, figures[plot], { mistakes, linkTo });
  else
    box.append(
      make("p", { class: "note" }, `[picture: ${alt}] The figures of this plot are missing.`),
    );
  return box;
}

// Because of <base>, a link within the page must contain the page's path.
function addressOf(model) {
  return `${location.pathname}?${new URLSearchParams({ model })}`;
}

/** @type {Start} */
export function start(element, props, server) {
  const find = (name) => element.querySelector(`[data-testid=${name}]`);
  const chooser = find("card-model");
  const status = find("card-status");
  const article = find("card");
  const contents = find("contents");
  let newest = 0; // number of the newest request
  let returned = whereLeft(); // scroll position in px to restore, once

  function toSketchpad(parts) {
    return `./#${new URLSearchParams({ model: chooser.value, ...parts })}`;
  }

  function pixelsLink({ pixels }) {
    return toSketchpad({ pixels: pixels.replaceAll("+", "-").replaceAll("/", "_") });
  }

  async function show(model, note) {
    newest += 1;
    const mine = newest;
    article.setAttribute("aria-busy", true);
    try {
      const answer = await server.read({ model });
      if (mine !== newest) return;
      status.textContent = answer.error ?? note;
      if (!answer.error) lay(answer);
    } catch {
      if (mine === newest)
        status.textContent = "The server does not respond. Choose a model to try again.";
    }
    article.removeAttribute("aria-busy");
  }

  function lay({ model, parts, figures }) {
    document.title = `${model} · Draw a digit`;
    article.replaceChildren(
      ...parts.map((part) => (part.plot ? plotted(part, figures, pixelsLink) : text(part))),
    );
    list();
    article.dataset.model = model;
    // The plots get their heights in the next frame, by a ResizeObserver.
    requestAnimationFrame(() => requestAnimationFrame(scroll));
  }

  // Scroll to where the visitor left this page, otherwise to the section in the address.
  function scroll() {
    const to = returned;
    returned = null;
    if (to !== null) window.scrollTo(0, to);
    else if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }

  // The HTML is safe: markdown.py made it and removed the card's own HTML.
  function text({ html }) {
    const part = document.createElement("div");
    part.className = "text";
    part.innerHTML = html;
    for (const table of part.querySelectorAll("table")) alignNumbers(table);
    for (const link of part.querySelectorAll("a[href^='#']")) {
      link.setAttribute("href", addressOf(chooser.value) + link.getAttribute("href"));
    }
    return part;
  }

  function list() {
    const links = [...article.querySelectorAll("h2")].map((head) =>
      make("a", { href: `${addressOf(chooser.value)}#${head.id}` }, head.textContent),
    );
    contents.replaceChildren(...links);
    contents.hidden = links.length < 2;
    letReach(article);
  }

  // The address names the model, so that a link to a section stays within this page.
  function choose(model, { note = "", hash = "" } = {}) {
    chooser.value = model;
    history.replaceState(history.state, "", addressOf(model) + hash);
    find("draw-with").href = toSketchpad({});
    show(model, note);
  }

  chooser.addEventListener("change", () => choose(chooser.value));

  window.addEventListener("pagehide", () => {
    tab.set(LEFT, { address: location.href, y: window.scrollY });
  });

  const first = wanted();
  const known = [...chooser.options].some((option) => option.value === first);
  const { hash } = location;
  if (known) choose(first, { hash });
  else choose(chooser.value, { hash, note: first ? `This server has no model ${first}.` : "" });
}
