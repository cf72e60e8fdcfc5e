// The card of a model: its text as the server made it safe, its plots drawn from the figures.

const SAVED = "drawing"; // in sessionStorage: what the sketchpad holds, and by which model it is read
const NUMBER =
  /^(above |below |[−+-])?\d[\d.,]*( ?(%|points|px|ms|s|min|bytes))?( \([\d., to]+\))?$/; // with its interval

const find = (name) => element.querySelector(`[data-testid=${name}]`);
const chooser = find("card-model");
const status = find("card-status");
const article = find("card");
const contents = find("contents");
let newest = 0; // of the cards that were asked for

// A link's model comes before the one that the sketchpad has.
function wanted() {
  const linked = new URLSearchParams(location.search).get("model");
  if (linked) return linked;
  try {
    return JSON.parse(sessionStorage.getItem(SAVED))?.model;
  } catch {
    return null;
  }
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
  for (const part of parts) drawPlot(part.plot, figures);
  list(model);
  article.dataset.model = model;
}

// Safe to be set: ui/markdown.py made it, and no HTML of the card's own gets through.
function text({ html }) {
  const part = document.createElement("div");
  part.className = "text";
  part.innerHTML = html;
  for (const table of part.querySelectorAll("table")) alignNumbers(table);
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
  if (!(plot in PLOTS && plot in figures)) {
    box.append(make("p", { class: "note" }, `[picture: ${alt}] Its figures are not here.`));
  }
  return box;
}

function drawPlot(name, figures) {
  if (!(name in PLOTS && name in figures)) return;
  PLOTS[name](find(`plot-${name}`), figures[name], figures.mistakes?.mistakes ?? []);
}

// The card's sections, as links: to this page's own address, since a base stands before others.
function list(model) {
  const links = [...article.querySelectorAll("h2")].map((head, i) => {
    head.id = `section-${i + 1}`;
    const href = `${location.pathname}?${new URLSearchParams({ model })}#${head.id}`;
    return make("a", { href }, head.textContent);
  });
  contents.replaceChildren(...links);
  contents.hidden = links.length < 2;
  for (const box of article.querySelectorAll(".scroll, pre")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0; // what scrolls can be reached
  }
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

function choose(model, note = "") {
  chooser.value = model;
  find("draw-with").href = toSketchpad({});
  show(model, note);
}

chooser.addEventListener("change", () => {
  history.replaceState(
    null,
    "",
    `${location.pathname}?${new URLSearchParams({ model: chooser.value })}`,
  );
  choose(chooser.value);
});

const first = wanted();
const known = [...chooser.options].some((option) => option.value === first);
if (known) choose(first);
else choose(chooser.value, first ? `There is no model ${first} here.` : "");
