// A card's plots, drawn from its figures: each takes the element that it fills and its figures.
// What can be pointed at can be reached by the keyboard, too: by a slider, or by arrows.

const LINES = [
  "#2f86d0",
  "#d9730d",
  "#14936b",
  "#a35ccc",
  "#cc4488",
  "#1797a6",
  "#98703a",
  "#7d7d85",
];
const DASHES = ["", "7 3", "2 3"]; // the lines of each round through the colours
const TEXT = 12; // px of the letters in a plot
const FLOOR = 1e-4; // what a logarithmic axis shows of 0
const COUNTS = 36; // px of the bars that say how many there are
const STRONGEST = 0.62; // how much of its colour the largest cell has: its number must be read
const DIGITS = [...Array(10).keys()];

function make(tag, attributes = {}, ...inside) {
  const part = document.createElement(tag);
  return fill(part, attributes, inside);
}

function draw(tag, attributes = {}, ...inside) {
  const part = document.createElementNS("http://www.w3.org/2000/svg", tag);
  return fill(part, attributes, inside);
}

function fill(part, attributes, inside) {
  for (const [name, value] of Object.entries(attributes)) part.setAttribute(name, value);
  part.append(...inside);
  return part;
}

function share(value, digits = 1) {
  return value === null ? "–" : `${(100 * value).toFixed(digits)} %`;
}

function figure(value) {
  return value === null ? "–" : `${Number(value.toPrecision(3))}`;
}

function colourOf(i) {
  return LINES[i % LINES.length];
}

function dashOf(i) {
  return DASHES[Math.floor(i / LINES.length) % DASHES.length];
}

// Call `redraw` with the width of a part, now and whenever it changes: letters keep their size.
function onWidth(part, redraw) {
  let last = 0;
  new ResizeObserver(([entry]) => {
    const width = Math.round(entry.contentRect.width);
    if (width && width !== last) redraw((last = width));
  }).observe(part);
}

// Where a value lies between two ends, in px; on a logarithmic axis, by its ratio.
function scale([low, high], [start, end], log = false) {
  const on = (value) => (log ? Math.log(Math.max(value, FLOOR)) : value);
  const span = on(high) - on(low) || 1;
  return (value) => start + ((on(value) - on(low)) / span) * (end - start);
}

// Round numbers along an axis: some five, or 1, 2 and 5 of each power of ten.
function ticks([low, high], log = false) {
  if (log && high / low > 8) return powers(low, high);
  const rough = (high - low) / 5 || 1;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((part) => part * unit).find((each) => each >= rough * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high * (1 + 1e-9); i += 1) {
    found.push(Number((i * step).toPrecision(12)));
  }
  return found;
}

function powers(low, high) {
  const parts = high / low > 300 ? [1] : [1, 2, 5];
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    found.push(...parts.map((part) => Number(`${part}e${power}`)));
  }
  return found.filter((value) => value >= low * 0.999 && value <= high * 1.001);
}

// A frame with its axes. Gives the two scales, and the group to draw in.
function axes(sheet, { width, height, x, y, log = false, label, unit = figure, below, ...stops }) {
  const [left, right, top, bottom] = [44, width - 12, 24, height - 34];
  const across = scale(x, [left, right]);
  const up = scale(y, [bottom, top], log);
  setAttribute(sheet, "viewBox", `0 0 ${width} ${height}`);
  setAttribute(sheet, "height", height);
  const grid = draw("g", { class: "axes" });
  const write = (text, at) => grid.append(draw("text", at, text));
  for (const value of ticks(y, log)) {
    grid.append(draw("path", { d: `M${left} ${up(value)}H${right}` }));
    write(unit(value), { x: left - 6, y: up(value) + 4, "text-anchor": "end" });
  }
  const { at = ticks(x), named = figure } = stops; // along x: where, and their names
  for (const value of at) {
    write(named(value), { x: across(value), y: bottom + 16, "text-anchor": "middle" });
  }
  write(label, { x: 0, y: TEXT });
  write(below, { x: right, y: height - 3, "text-anchor": "end" });
  const inside = draw("g");
  sheet.replaceChildren(grid, inside);
  return { across, up, inside, left, right, top, bottom };
}

function path(points, across, up) {
  let pen = "M";
  let d = "";
  for (const [x, y] of points) {
    if (y === null) pen = "M";
    else {
      d += `${pen}${across(x).toFixed(1)} ${up(y).toFixed(1)}`;
      pen = "L";
    }
  }
  return d;
}

// Lines over x, and a cursor that is moved by pointing; `pick` is told the index pointed at.
function lineChart(sheet, { xs, lines, mark, pick, ...rest }) {
  let at = null;
  let now = 0;
  onWidth(sheet.parentElement, (width) => {
    at = axes(sheet, { width, x: [xs[0], xs.at(-1)], ...rest });
    if (mark !== null) {
      const d = `M${at.across(mark)} ${at.top}V${at.bottom}`;
      at.inside.append(draw("path", { class: "mark", d }));
    }
    for (const { name, values, colour, dash } of lines) {
      const d = path(xs.map((x, i) => [x, values[i]]), at.across, at.up); // prettier-ignore
      const line = {
        class: "line",
        d,
        stroke: colour,
        "stroke-dasharray": dash,
        "data-line": name,
      };
      at.inside.append(draw("path", line));
    }
    at.cursor = draw("g", { class: "cursor" });
    at.inside.append(at.cursor);
    move(now);
  });
  const move = (i) => {
    now = i;
    if (!at) return;
    const x = at.across(xs[i]);
    const dots = lines
      .filter(({ values }) => values[i] !== null)
      .map(({ values, colour }) =>
        draw("circle", { cx: x, cy: at.up(values[i]), r: 3.5, fill: colour }),
      );
    at.cursor.replaceChildren(draw("path", { d: `M${x} ${at.top}V${at.bottom}` }), ...dots);
  };
  onPoint(sheet, (x) => {
    let nearest = 0;
    xs.forEach((value, i) => {
      if (Math.abs(at.across(value) - x) < Math.abs(at.across(xs[nearest]) - x)) nearest = i;
    });
    pick(nearest);
  });
  return move;
}

// Tell where a plot is pointed at, in its own px: by a mouse over it, by a finger that taps.
function onPoint(sheet, tellAt) {
  for (const kind of ["pointermove", "click"]) {
    sheet.addEventListener(kind, (event) => {
      if (event.pointerType === "touch" && kind !== "click") return; // a finger that scrolls
      tellAt(event.clientX - sheet.getBoundingClientRect().left);
    });
  }
}

// A slider over the points of a plot: what pointing does, for the keyboard and for fingers.
function slider(name, { label, count, first, says, move }) {
  const range = make("input", { type: "range", min: 0, max: count - 1, step: 1, value: first });
  range.dataset.testid = `${name}-slider`;
  const go = (i) => {
    range.value = i;
    setAttribute(range, "aria-valuetext", says(i));
    move(i);
  };
  range.addEventListener("input", () => go(Number(range.value)));
  return { element: make("label", { class: "slide" }, label, range), go };
}

// A table of the numbers; of many, in a fold that is filled when it is opened.
function numbers(name, summary, heads, rows) {
  const fold = make("details", {}, make("summary", {}, summary));
  fold.dataset.testid = `${name}-table`;
  fold.addEventListener("toggle", () => {
    if (fold.children.length > 1) return;
    const body = rows().map((row) =>
      make(
        "tr",
        {},
        ...row.map((cell, i) => make(i ? "td" : "th", i ? {} : { scope: "row" }, cell)),
      ),
    );
    const head = make("tr", {}, ...heads.map((each) => make("th", { scope: "col" }, each)));
    const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
    const about = { class: "scroll tall", tabindex: 0, role: "region", "aria-label": summary };
    fold.append(make("div", about, table));
  });
  return fold;
}

// The lines' names, with what each is at the cursor.
function values(name, lines, { bars = false } = {}) {
  const rows = lines.map(({ name: text, colour, dash }) => {
    const key = draw("svg", { class: "swatch", viewBox: "0 0 24 8", "aria-hidden": "true" });
    key.append(draw("path", { d: "M0 4H24", stroke: colour, "stroke-dasharray": dash }));
    const value = make("td");
    value.dataset.testid = `${name}-${text}`;
    const row = make("tr", {}, make("th", { scope: "row" }, key, text), value);
    if (bars) row.append(make("td", { class: "bar", "aria-hidden": "true" }, make("i")));
    return row;
  });
  const table = make("table", { class: "values" }, make("tbody", {}, ...rows));
  const show = (texts, shares) => {
    rows.forEach((row, k) => {
      setText(row.children[1], texts[k]);
      if (bars) {
        row.querySelector("i").style.cssText =
          `width: ${100 * shares[k]}%; background: ${lines[k].colour}`;
      }
    });
  };
  return { table, show };
}

function panel(className = "") {
  const sheet = draw("svg", { class: "sheet", width: "100%", "aria-hidden": "true" });
  return { sheet, box: make("div", { class: `panel ${className}` }, sheet) };
}

function extent(lists, log) {
  const all = lists.flat().filter((value) => value !== null && (!log || value > 0));
  const [low, high] = [Math.min(...all), Math.max(...all)];
  if (!all.length) return [FLOOR, 1];
  return log ? [low / 1.15, high * 1.15] : [low, high];
}

function drawTraining(box, { history, best_epoch: best }) {
  const of = (name) => history.map((each) => each[name]);
  const wrong = (name) => of(name).map((value) => (value === null ? null : 1 - value));
  const losses = [
    { name: "training loss", values: of("loss") },
    { name: "validation loss", values: of("val_loss") },
  ];
  const errors = [{ name: "validation error", values: wrong("val_accuracy") }];
  if (of("pens_accuracy").some((value) => value !== null)) {
    errors.push({ name: "error on synthetic pens", values: wrong("pens_accuracy") });
  }
  const lines = [...losses, ...errors];
  lines.forEach((line, i) => Object.assign(line, { colour: colourOf(i), dash: dashOf(i) }));
  const xs = of("epoch");
  const legend = values("training", lines);
  const told = (i) =>
    lines.map((line, k) => (k < 2 ? figure(line.values[i]) : share(line.values[i], 2)));
  const says = (i) =>
    `Epoch ${xs[i]}: ${lines.map((line, k) => `${line.name} ${told(i)[k]}`).join(", ")}`;
  const first = Math.max(0, xs.indexOf(best));
  const control = slider("training", {
    label: "Epoch",
    count: xs.length,
    first,
    says,
    move: (i) => {
      for (const move of moves) move(i);
      legend.show(told(i));
      setText(title, `Epoch ${xs[i]} of ${xs.at(-1)}${xs[i] === best ? ", the best" : ""}`);
    },
  });
  const title = make("p", { class: "readout" });
  title.dataset.testid = "training-at";
  const panels = [losses, errors].map(() => panel());
  box.append(
    make("div", { class: "panels" }, ...panels.map((each) => each.box)),
    control.element,
    title,
    legend.table,
    numbers("training", "All epochs as a table", ["epoch", ...lines.map(({ name }) => name)], () =>
      xs.map((x, i) => [`${x}`, ...told(i)]),
    ),
  );
  const common = {
    xs,
    mark: best || null,
    pick: control.go,
    height: 240,
    log: true,
    below: "epoch",
  };
  const moves = [
    [losses, "loss (logarithmic)", figure],
    [errors, "read wrong (logarithmic)", (value) => `${figure(100 * value)} %`],
  ].map(([chosen, label, unit], i) => {
    const y = extent(chosen.map((line) => line.values), true); // prettier-ignore
    return lineChart(panels[i].sheet, { ...common, lines: chosen, y, label, unit });
  });
  control.go(first);
}

function drawRefusal(box, { threshold, curve }) {
  const xs = curve.map((point) => point.threshold);
  const names = ["test", "pens"].filter((name) => name in curve[0]);
  for (const name of Object.keys(curve[0])) {
    if (name !== "threshold" && !names.includes(name)) names.push(name);
  }
  const titles = { test: "MNIST test", pens: "synthetic pens" };
  const lines = names.map((key, i) => ({
    key,
    name: titles[key] ?? key,
    values: curve.map((point) => point[key]),
    colour: colourOf(i),
    dash: dashOf(i),
  }));
  const legend = values("refusal", lines, { bars: true });
  const told = (i) => lines.map((line) => share(line.values[i], line.key in titles ? 2 : 1));
  const title = make("p", { class: "readout" });
  title.dataset.testid = "refusal-at";
  const chosen = Math.max(0, xs.indexOf(threshold));
  const control = slider("refusal", {
    label: "Threshold",
    count: xs.length,
    first: chosen,
    says: (i) =>
      `Threshold ${xs[i]}: ${lines.map((line, k) => `${line.name} ${told(i)[k]}`).join(", ")}`,
    move: (i) => {
      move(i);
      legend.show(told(i), lines.map((line) => line.values[i])); // prettier-ignore
      const own = xs[i] === threshold ? ", the model's own" : "";
      setText(title, `Refused above ${xs[i]}${own}`);
    },
  });
  const { sheet, box: place } = panel();
  box.append(
    make(
      "div",
      { class: "beside" },
      make("div", {}, place, control.element),
      make("div", {}, title, legend.table),
    ),
    numbers(
      "refusal",
      "All thresholds as a table",
      ["threshold", ...lines.map(({ name }) => name)],
      () => xs.map((x, i) => [`${x}`, ...told(i)]),
    ),
  );
  const rest = { height: 300, y: [0, 1], label: "refused", unit: (value) => share(value, 0) };
  const move = lineChart(sheet, {
    ...rest,
    xs,
    lines,
    mark: threshold,
    pick: control.go,
    below: "threshold",
  });
  control.go(chosen);
}

function drawReliability(box, { bins, calibration_error: error }) {
  const full = bins.filter((bin) => bin.n && bin.confidence !== null && bin.accuracy !== null);
  if (!full.length) return;
  const most = Math.max(...full.map((bin) => bin.n));
  const { sheet, box: place } = panel();
  const counts = draw("svg", {
    class: "sheet",
    width: "100%",
    height: COUNTS,
    "aria-hidden": "true",
  });
  const title = make("p", { class: "readout" });
  title.dataset.testid = "reliability-at";
  let at = null;
  let now = full.length - 1;
  const span = ({ low, high }) => `${share(low, 0)} to ${share(high, 0)}`;
  const says = (i) => {
    const { n, confidence, accuracy } = full[i];
    return `Confidence ${span(full[i])}: ${whole(n)} answers, on average ${share(confidence)} sure, and ${share(accuracy)} of them right`;
  };
  const control = slider("reliability", {
    label: "Confidence",
    count: full.length,
    first: now,
    says,
    move: (i) => {
      now = i;
      setText(title, `${says(i)}.`);
      at?.inside
        .querySelectorAll(".bin")
        .forEach((bin, k) => bin.classList.toggle("picked", k === i));
    },
  });
  const rows = () =>
    bins.map((bin) => [span(bin), whole(bin.n), share(bin.confidence, 2), share(bin.accuracy, 2)]);
  box.append(
    make(
      "div",
      { class: "beside" },
      make("div", {}, place, counts, control.element),
      make(
        "div",
        {},
        title,
        legendOf([
          ["accuracy", "answers that are right"],
          ["over", "more confident than right, by so much"],
          ["under", "less confident than right, by so much"],
          ["ideal", "calibrated: as sure as right"],
          ["count", "below: how many (square root)"],
        ]),
        make("p", { class: "note" }, `Expected calibration error: ${share(error, 2)}.`),
      ),
    ),
    numbers("reliability", "All bins as a table", ["confidence", "answers", "sure", "right"], rows),
  );
  onWidth(sheet.parentElement, (width) => {
    at = axes(sheet, {
      width,
      height: Math.min(340, width),
      x: [0, 1],
      y: [0, 1],
      label: "right",
      unit: (value) => share(value, 0),
      below: "confidence",
    });
    const { across, up, inside } = at;
    const bar = (className, { low, high }, from, to) => {
      const [y, tall] = [Math.min(up(from), up(to)), Math.abs(up(from) - up(to))];
      const wide = Math.max(1, across(high) - across(low) - 2);
      return draw("rect", { class: className, x: across(low) + 1, y, width: wide, height: tall });
    };
    for (const each of full) {
      const group = draw("g", { class: "bin" });
      group.append(
        bar("accuracy", each, 0, each.accuracy),
        bar(
          each.confidence > each.accuracy ? "over" : "under",
          each,
          each.accuracy,
          each.confidence,
        ),
      );
      inside.append(group);
    }
    setAttribute(counts, "viewBox", `0 0 ${width} ${COUNTS}`);
    counts.replaceChildren(
      ...full.map(({ low, high, n }) => {
        const [wide, tall] = [
          Math.max(1, across(high) - across(low) - 2),
          COUNTS * Math.sqrt(n / most),
        ];
        const place = { x: across(low) + 1, y: COUNTS - tall, width: wide, height: tall };
        return draw("rect", { class: "count", ...place });
      }),
    );
    inside.append(draw("path", { class: "ideal", d: path([[0, 0], [1, 1]], across, up) })); // prettier-ignore
    control.go(now);
  });
  onPoint(sheet, (x) => {
    const value = (x - at.left) / (at.right - at.left);
    const away = ({ low, high }) => Math.abs((low + high) / 2 - value);
    control.go(full.reduce((best, bin, i) => (away(bin) < away(full[best]) ? i : best), 0));
  });
  control.go(now);
}

function legendOf(keys) {
  return make(
    "ul",
    { class: "keys" },
    ...keys.map(([kind, text]) => make("li", {}, make("i", { class: `swatch ${kind}` }), text)),
  );
}

// Buttons of which the Tab key reaches one, and arrows the others, `wide` of them a row.
function roving(buttons, wide, look) {
  const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -wide(), ArrowDown: wide() };
  buttons.forEach((button, i) => {
    button.tabIndex = i ? -1 : 0;
    for (const kind of ["pointerenter", "focus", "click"]) {
      button.addEventListener(kind, (event) => {
        if (event.pointerType === "touch" && kind === "pointerenter") return;
        look(i, kind);
      });
    }
    button.addEventListener("focus", () => {
      for (const each of buttons) each.tabIndex = each === button ? 0 : -1;
    });
    button.addEventListener("keydown", (event) => {
      moves.ArrowUp = -(moves.ArrowDown = wide());
      const next = buttons[i + (moves[event.key] ?? 0)];
      if (!(event.key in moves) || !next) return;
      event.preventDefault();
      next.focus();
    });
  });
}

function drawConfusion(box, { confusion }, mistakes) {
  const sums = confusion.map((row) => row.reduce((sum, count) => sum + count, 0));
  const wrong = confusion.flatMap((row, i) => row.filter((_, k) => k !== i));
  const most = Math.max(...wrong, 1);
  const says = (label, digit) =>
    `${label} read as ${digit}: ${whole(confusion[label][digit])} of ${whole(sums[label])}`;
  const title = make(
    "p",
    { class: "readout" },
    "Point at a cell, or press it to see its mistakes.",
  );
  title.dataset.testid = "confusion-at";
  const shown = make("div", { class: "gallery" });
  shown.dataset.testid = "confusion-mistakes";
  const cells = confusion.flatMap((row, label) => row.map((count, digit) => {
    const cell = make("button", { type: "button", "aria-label": says(label, digit) }, count ? `${count}` : "");
    cell.dataset.testid = `confusion-${label}-${digit}`;
    const level = label === digit ? count / (sums[label] || 1) : Math.sqrt(count / most);
    const own = label === digit ? "47 134 208" : "217 115 13";
    if (count) cell.style.background = `rgb(${own} / ${(STRONGEST * level).toFixed(3)})`;
    return cell;
  })); // prettier-ignore
  let picked = null;
  roving(cells, () => 10, (i, kind) => {
    const [label, digit] = [Math.floor(i / 10), i % 10];
    setText(title, `${says(label, digit)}.`);
    if (kind !== "click") return;
    picked?.setAttribute("aria-pressed", false);
    picked = cells[i];
    picked.setAttribute("aria-pressed", true);
    showCell(shown, mistakes, label, digit, confusion[label][digit]);
  }); // prettier-ignore
  const corner = make("td", { class: "corner" }, "label ↓ read as →");
  const heads = DIGITS.map((digit) => make("th", { scope: "col" }, `${digit}`));
  const rows = DIGITS.map((label) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, `${label}`),
      ...DIGITS.map((digit) => make("td", {}, cells[10 * label + digit])),
    ),
  );
  box.append(
    make(
      "table",
      { class: "confusion" },
      make("thead", {}, make("tr", {}, corner, ...heads)),
      make("tbody", {}, ...rows),
    ),
    title,
    shown,
  );
}

function showCell(shown, mistakes, label, digit, count) {
  const found = mistakes.filter((each) => each.label === label && each.digit === digit);
  if (label === digit || !mistakes.length) {
    shown.replaceChildren();
    return;
  }
  const most = `the ${mistakes.length} mistakes that were made most confidently`;
  const note = !count
    ? `No ${label} of the test set is read as ${digit}.`
    : found.length
      ? `Of them, among ${most}:`
      : `None of them is among ${most}.`;
  shown.replaceChildren(make("p", { class: "note" }, note), ...found.map(pictured));
}

function pictured(mistake) {
  const canvas = make("canvas", { width: SIZE, height: SIZE, class: "map", "aria-hidden": "true" });
  drawSeen(canvas, mistake.pixels);
  const { label, digit, confidence, index } = mistake;
  const words = make(
    "figcaption",
    {},
    make("b", {}, `${label} → ${digit}`),
    ` ${percent(confidence)}`,
  );
  const title = `Image ${whole(index)} of the test set`;
  const link = make(
    "a",
    { href: pixelsLink(mistake), title: `${title}: open it on the sketchpad` },
    canvas,
  );
  link.setAttribute(
    "aria-label",
    `${title}, a ${label} read as ${digit}: open it on the sketchpad`,
  );
  return make("figure", {}, link, words);
}

function drawMistakes(box, { mistakes }) {
  const gallery = make("div", { class: "gallery" }, ...mistakes.map(pictured));
  const note =
    "Label → answer, and how sure the network is of it. Press one to open it on the sketchpad.";
  box.append(make("p", { class: "note" }, mistakes.length ? note : "There is none."), gallery);
}

function drawHidden(box, { templates, of, units, tiles, favourites, outgoing }) {
  const most = outgoing ? Math.max(...outgoing.flat().map(Math.abs), 1e-9) : 1;
  const title = make("p", { class: "readout" });
  title.dataset.testid = "hidden-at";
  const grid = make("div", { class: templates ? "tiles few" : "tiles" });
  const buttons = units.map((unit, i) => {
    const canvas = make("canvas", { width: SIZE, height: SIZE });
    drawNumbers(canvas, tiles[i], { full: 0.6 * tiles[i].scale });
    const name = templates ? logitName(unit) : `Unit ${unit}`;
    const button = make("button", { type: "button", "aria-label": name }, canvas);
    button.dataset.testid = `hidden-${unit}`;
    if (favourites) button.append(make("span", {}, `${favourites[i]}`));
    return button;
  });
  grid.append(...buttons);
  const large = make("canvas", {
    width: 196,
    height: 196,
    class: "map",
    role: "img",
    "aria-label": "",
  });
  const bars = outgoing ? DIGITS.concat(NOT_A_DIGIT).map((logit) => {
    const value = make("td");
    value.dataset.testid = `hidden-to-${logit}`;
    const name = make("th", { scope: "row" }, logit === NOT_A_DIGIT ? "∅" : `${logit}`);
    return make("tr", {}, name, value, make("td", { class: "wide", "aria-hidden": "true" }, signedBar(0)));
  }) : []; // prettier-ignore
  const table = make("table", { class: "values" });
  if (outgoing)
    table.append(make("caption", {}, "Its weight to each logit"), make("tbody", {}, ...bars));
  const look = (i) => {
    buttons.forEach((button, k) => setAttribute(button, "aria-pressed", k === i));
    drawLarge(large, tiles[i]);
    setText(title, accountOf(i));
    setAttribute(large, "aria-label", `The weights of ${buttons[i].getAttribute("aria-label")}`);
    bars.forEach((row, logit) => {
      setText(row.children[1], decimal(outgoing[i][logit]));
      setBar(row.querySelector(".track"), outgoing[i][logit] / most);
    });
  };
  const accountOf = (i) => {
    if (templates)
      return `Template of ${logitName(units[i])}: what speaks for it, and what against.`;
    if (!outgoing) return `Unit ${units[i]} of the first layer.`;
    const order = [...outgoing[i].keys()].sort((a, b) => outgoing[i][b] - outgoing[i][a]);
    return `Unit ${units[i]}, where active, adds most to ${logitName(order[0])} and takes most from ${logitName(order.at(-1))}.`;
  };
  roving(buttons, () => getComputedStyle(grid).gridTemplateColumns.split(" ").length, look);
  const shown = units.length < of ? `, the ${units.length} of ${whole(of)} that weigh most` : "";
  const note = templates ? "One template for each digit." : `Hidden units${shown}.`;
  const colours = legendOf([["positive", "ink adds"], ["negative", "ink takes"]]); // prettier-ignore
  const head = make("div", { class: "large" }, large, colours);
  box.append(
    make("p", { class: "note" }, `${note} Point at one, or go by the arrow keys.`),
    make("div", { class: "beside" }, grid, make("div", {}, head, title, table)),
  );
  look(0);
}

const PLOTS = {
  training: drawTraining,
  confusion: drawConfusion,
  reliability: drawReliability,
  refusal: drawRefusal,
  hidden: drawHidden,
  mistakes: drawMistakes,
};
