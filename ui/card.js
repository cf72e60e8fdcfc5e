// The card of a model: its text as the server made it safe, its plots drawn from the figures.

const LEFT = "card-left"; // in `tab`: the address that was left, and how far it was scrolled
const NUMBER =
  /^(above |below |[−+-])?\d[\d.,]*( ?(%|points|px|ms|s|min|bytes))?( \((by writer )?[\d., to]+\))?$/; // with its interval

const find = (name) => element.querySelector(`[data-testid=${name}]`);
const chooser = find("card-model");
const status = find("card-status");
const article = find("card");
const contents = find("contents");
let newest = 0; // of the cards that were asked for
let returned = whereLeft(); // px, until they are scrolled

// A link's model comes before the one that the sketchpad has.
function wanted() {
  return new URLSearchParams(location.search).get("model") || tab.get(SAVED)?.model;
}

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
    if (mine === newest) status.textContent = "No answer: choose a model to try again.";
  }
  article.removeAttribute("aria-busy");
}

function lay({ model, parts, figures }) {
  document.title = `${model} · Draw a digit`;
  article.replaceChildren(
    ...parts.map((part) => (part.plot ? plotted(part, figures) : text(part))),
  );
  list();
  article.dataset.model = model;
  // The plots have their heights once they were observed, in the next frame.
  requestAnimationFrame(() => requestAnimationFrame(scroll));
}

// To where this page was left, if a visitor comes back to it; else to the section of the address.
function scroll() {
  const to = returned;
  returned = null;
  if (to !== null) window.scrollTo(0, to);
  else if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

function whereLeft() {
  if (performance.getEntriesByType("navigation")[0]?.type === "navigate") return null;
  const left = tab.get(LEFT);
  return left?.address === location.href ? left.y : null;
}

// Safe to be set: ui/markdown.py made it, and no HTML of the card's own gets through.
function text({ html }) {
  const part = document.createElement("div");
  part.className = "text";
  part.innerHTML = html;
  for (const table of part.querySelectorAll("table")) alignNumbers(table);
  for (const link of part.querySelectorAll("a[href^='#']")) {
    link.href = addressOf(chooser.value) + link.getAttribute("href");
  }
  return part;
}

// A column of numbers is set to the right, with its head.
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

function plotted({ plot, alt }, figures) {
  const box = make("figure", { class: "plot", role: "figure", "aria-label": alt });
  box.dataset.testid = `plot-${plot}`;
  if (plot in figures) PLOTS[plot](box, figures[plot], figures.mistakes?.mistakes ?? []);
  else box.append(make("p", { class: "note" }, `[picture: ${alt}] Its figures are not here.`));
  return box;
}

// Where a link starts that stays on this page: a base stands before others.
function addressOf(model) {
  return `${location.pathname}?${new URLSearchParams({ model })}`;
}

function list() {
  const links = [...article.querySelectorAll("h2")].map((head) =>
    make("a", { href: `${addressOf(chooser.value)}#${head.id}` }, head.textContent),
  );
  contents.replaceChildren(...links);
  contents.hidden = links.length < 2;
  letReach(article);
}

// The address names the model, so that a link to a section is one within this page.
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
else choose(chooser.value, { hash, note: first ? `There is no model ${first} here.` : "" });
