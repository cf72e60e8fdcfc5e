// The pictures of the lesson. Each takes the element that it fills and what does not depend on the
// drawing, and gives a function that draws a reading.

const PICTURES = {};

const N_PIXELS = SIZE * SIZE;
const LOUPE = 5; // numbers across what is shown enlarged, as across the text's slice
const BRIGHT = 117; // of 255: black letters are seen better than white ones above it
const STRONG = 2; // times the usual size of a weight: what has all of its colour
const INKED = 4 * SIZE; // px across a template, with room for the ink's outline
const FAINTEST = 0.45; // how bright a unit's weights are that is off: they are seen still
const MOST_CONFUSED = 8; // pairs of digits, of 90
const LINES_OF_STRIP = [4, 7]; // of 784 pixels, on a wide screen and on a narrow one
const NARROW = 480; // px
const DOT = 5; // px
const LET_GO = ": press it again to let go";
const REACH_STEP = 5; // an axis that follows the drawing moves in steps, else it trembles
const [TRAINING, VALIDATION, IN_BATCH] = [50_000, 10_000, 128]; // images: as in the text

// float32 numbers from their base64.
function floats(text) {
  return new Float32Array(bytes(text).buffer);
}

// The rows of a matrix, each of 784 numbers.
function rowsOf({ weight }) {
  const all = floats(weight);
  return Array.from({ length: all.length / N_PIXELS }, (_, i) =>
    all.subarray(i * N_PIXELS, (i + 1) * N_PIXELS),
  );
}

// What the network sees: numbers for sums, decoded once for all pictures, and bytes to draw.
const inputsOf = new WeakMap();
function inputOf(reading) {
  if (!inputsOf.has(reading)) inputsOf.set(reading, floats(reading.input));
  return inputsOf.get(reading);
}

function seenOf({ stages }) {
  return stages.at(-1).pixels;
}

function isBlank({ verdict }) {
  return verdict === "blank";
}

function largest(numbers) {
  return numbers.reduce((most, number) => Math.max(most, Math.abs(number)), 0);
}

function indexOfMost(numbers) {
  return numbers.reduce((best, number, i) => (number > numbers[best] ? i : best), 0);
}

// What has all of its colour among these numbers: the largest is often far from the others.
function fullOf(numbers) {
  const squares = numbers.reduce((sum, number) => sum + number * number, 0);
  return STRONG * Math.sqrt(squares / numbers.length);
}

// Numbers as drawNumbers and drawLarge take them.
function coloured(numbers, full = fullOf(numbers)) {
  const picture = { scale: full };
  const level = (number) => Math.max(-127, Math.min(127, Math.round((127 * number) / full)));
  decoded.set(picture, Int8Array.from(numbers, full ? level : () => 0));
  return picture;
}

function tested(name, part) {
  part.dataset.testid = name;
  return part;
}

function mapOf(side = SIZE, about = { "aria-hidden": "true" }) {
  return make("canvas", { width: side, height: side, class: "map", ...about });
}

function wideOf(grid) {
  return () => getComputedStyle(grid).gridTemplateColumns.split(" ").length;
}

// Buttons of which Tab reaches one and the arrows the others, and which are chosen by a press.
function choices(grid, buttons, choose) {
  grid.append(...buttons);
  roving(buttons, wideOf(grid), (i, kind) => {
    if (kind === "click") choose(i);
  });
}

function press(buttons, chosen) {
  buttons.forEach((button, i) => setAttribute(button, "aria-pressed", i === chosen));
}

function colourKey(pairs) {
  const keys = pairs.map(([kind, text]) =>
    make("span", {}, make("i", { class: `key ${kind}` }), text),
  );
  return make("p", { class: "legend" }, ...keys);
}

function asTensor(row, column) {
  return `drawing[0, ${row}:${row + LOUPE}, ${column}:${column + LOUPE}]`;
}

// 28 × 28 squares with thin lines between them, and a frame around what is enlarged.
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

PICTURES.pixels = (box) => {
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
};

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

// What a control shows is heard by who is at it: while a hand draws it changes all the time.
function heardAt(control, part) {
  control.addEventListener("focus", () => part.setAttribute("aria-live", "polite"));
  control.addEventListener("blur", () => part.removeAttribute("aria-live"));
}

// A picture that a press puts on the sketchpad, with its label.
function loader(name, pixels, label, says) {
  const canvas = mapOf();
  drawSeen(canvas, pixels);
  const button = make("button", { type: "button", "aria-label": says }, canvas);
  if (label !== null) button.append(make("span", {}, label));
  return tested(name, button);
}

PICTURES.examples = (box, { examples }) => {
  const grid = make("div", { class: "ten tiles" });
  const buttons = examples.map(({ pixels, label }, i) =>
    loader(`example-${i}`, pixels, `${label}`, `A ${label} of MNIST: put it on the sketchpad`),
  );
  box.append(grid);
  choices(grid, buttons, (i) => tell("load", { ink: inkOfPixels(examples[i].pixels) }));
};

PICTURES.split = (box) => {
  const batches = Math.ceil(TRAINING / IN_BATCH);
  const rest = TRAINING - (batches - 1) * IN_BATCH;
  const named = (count, what) => make("span", {}, make("b", {}, whole(count)), ` for ${what}`);
  const names = [named(TRAINING, "training"), named(VALIDATION, "validation")];
  const bar = make("div", { class: "whole", "aria-hidden": "true" }, make("i"), make("i"));
  bar.firstChild.style.flexGrow = TRAINING / VALIDATION;
  const squares = make("div", { class: "squares", "aria-hidden": "true" });
  for (let i = 0; i < IN_BATCH; i += 1) squares.append(make("i"));
  const fan = make("div", { class: "fan", "aria-hidden": "true" });
  fan.style.setProperty("--batch", `${(100 * IN_BATCH) / (TRAINING + VALIDATION)}%`);
  const says = `One batch: ${IN_BATCH} of them. An epoch is ${batches} batches, the last of ${rest}: then each of the ${whole(TRAINING)} was shown once.`;
  box.append(make("p", { class: "names" }, ...names), bar, fan, squares, make("p", {}, says));
  tested("split", box);
};

// A template with the ink's outline on it; the template itself is drawn once.
function inkedMap(weights) {
  const canvas = mapOf(INKED);
  const plain = new OffscreenCanvas(INKED, INKED);
  drawLarge(plain, coloured(weights));
  const brush = canvas.getContext("2d");
  brush.drawImage(plain, 0, 0);
  const show = (line) => {
    brush.drawImage(plain, 0, 0);
    brush.drawImage(line, 0, 0);
  };
  return { canvas, show };
}

function outlineOf(reading) {
  const line = new OffscreenCanvas(INKED, INKED);
  outline(line, seenOf(reading));
  return line;
}

// Weights × pixels = their product, and the sum: what is for, what is against, and the bias.
function apart(name, what) {
  const maps = [what, "your pixels", "product"].map((caption) => {
    const canvas = mapOf(SIZE, { role: "img", "aria-label": caption });
    return make("figure", {}, canvas, make("figcaption", {}, caption));
  });
  const signs = ["×", "="].map((sign) =>
    make("span", { class: "sign", "aria-hidden": "true" }, sign),
  );
  const [weights, pixels, product] = maps.map((map) => map.firstChild);
  const sum = tested(`${name}-sum`, make("p", { class: "sum" }));
  const row = make("div", { class: "apart" }, maps[0], signs[0], maps[1], signs[1], maps[2]);
  const show = (reading, row, bias, total, of) => {
    const terms = row.map((weight, i) => weight * inputOf(reading)[i]);
    drawNumbers(weights, coloured(row));
    drawSeen(pixels, seenOf(reading));
    // Its colours mean the same, but where the weights are strongest beside the ink.
    drawNumbers(product, coloured(terms, Math.min(fullOf(row), largest(terms))));
    const shown = addUp([...sidesOf(terms), bias], total);
    const [plus, minus, added] = shown.terms;
    setText(
      sum,
      `${of}: ${plus} (for) ${signed(minus)} (against) ${signed(added)} (bias) = ${shown.total}`,
    );
    return shown.total;
  };
  return { element: make("div", {}, row, sum), show };
}

// What adds to a sum, and what takes from it.
function sidesOf(terms) {
  let [plus, minus] = [0, 0];
  for (const term of terms) {
    if (term > 0) plus += term;
    else minus += term;
  }
  return [plus, minus];
}

PICTURES.templates = (box, { logistic }) => {
  const rows = rowsOf(logistic);
  const maps = rows.map(inkedMap);
  const scores = rows.map((_, i) =>
    tested(`template-logit-${i}`, make("span", { class: "score" })),
  );
  const bars = rows.map(() => signedBar(0));
  const buttons = rows.map((_, i) =>
    tested(
      `template-${i}`,
      make("button", { type: "button" }, maps[i].canvas, make("b", {}, `${i}`), scores[i], bars[i]),
    ),
  );
  const grid = make("div", { class: "ten tiles" });
  const title = tested("template-title", make("p", { class: "readout" }));
  const sum = apart("template", "template");
  const key = colourKey([["positive", "ink here speaks for the digit"], ["negative", "against it"]]); // prettier-ignore
  box.append(grid, key, title, sum.element);
  let own = null; // what the visitor has chosen
  let last = null;
  const show = () => {
    const { logits } = last.logistic;
    const best = indexOfMost(logits);
    const chosen = own ?? best;
    press(buttons, chosen);
    setText(title, `The template of ${chosen}${own === null ? bestOf(last) : LET_GO}`);
    sum.show(last, rows[chosen], logistic.bias[chosen], logits[chosen], `logit of ${chosen}`);
  };
  choices(grid, buttons, (i) => {
    own = own === i ? null : i;
    if (last) show();
  });
  return (reading) => {
    last = reading;
    const { logits } = reading.logistic;
    const [line, best, most] = [outlineOf(reading), indexOfMost(logits), largest(logits)];
    buttons.forEach((button, i) => {
      maps[i].show(line);
      const wins = i === best && !isBlank(reading);
      setText(scores[i], decimal(logits[i]));
      setBar(bars[i], logits[i] / (most || 1));
      button.classList.toggle("wins", wins);
      const says = `Template of ${i}, logit ${decimal(logits[i])}${wins ? ", the highest" : ""}`;
      setAttribute(button, "aria-label", says);
    });
    show();
  };
};

function bestOf(reading) {
  return isBlank(reading) ? "" : ", the one that fits best";
}

// The pairs of digits that a network takes for one another most often: [label, digit].
function mostConfused(confusion) {
  const pairs = DIGITS.flatMap((label) => DIGITS.map((digit) => [label, digit]));
  const wrong = pairs.filter(([label, digit]) => label !== digit);
  wrong.sort(([a, b], [c, d]) => confusion[c][d] - confusion[a][b]);
  return wrong.slice(0, MOST_CONFUSED);
}

function wrongOf(confusion) {
  return confusion.flat().reduce((sum, count) => sum + count, 0) - DIGITS.reduce((sum, i) => sum + confusion[i][i], 0); // prettier-ignore
}

PICTURES.confusions = (box, { figures: { confusions } }) => {
  const names = Object.keys(confusions);
  const pairs = mostConfused(confusions[names[0]]);
  const most = confusions[names[0]][pairs[0][0]][pairs[0][1]];
  const cell = (count, name) => {
    const bar = make("i", { class: "amount", "aria-hidden": "true" });
    bar.style.width = `calc((100% - 3em) * ${count / most})`;
    return make("td", {}, tested(name, make("span", {}, whole(count))), bar);
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
    make("td", {}, tested(`wrong-${name}`, make("span", {}, whole(wrongOf(confusions[name]))))),
  );
  const foot = make("tr", {}, make("th", { scope: "row" }, "all wrong answers"), ...sums);
  const head = make("tr", {}, make("td"), ...heads);
  const parts = [["thead", head], ["tfoot", foot]].map(([tag, row]) => make(tag, {}, row)); // prettier-ignore
  box.append(
    tested("confusions", make("table", {}, parts[0], make("tbody", {}, ...rows), parts[1])),
  );
};

// 784 pixels in some lines, each some rows of the picture long.
function drawStrip(canvas, seen, lines, row) {
  const [wide, tall] = [canvas.width / (N_PIXELS / lines), canvas.height / lines];
  const gap = tall * 0.3;
  const brush = canvas.getContext("2d");
  brush.clearRect(0, 0, canvas.width, canvas.height);
  brush.fillStyle = "#000"; // around the ink, which would be lost on a white page
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

// Where a row of the picture begins in the strip: pixels from the left, and lines from above.
function placeOf(row, lines) {
  const each = SIZE / lines;
  return [(row % each) * SIZE, Math.floor(row / each)];
}

function frameOn(brush, x, y, width, height) {
  const line = Math.max(2, Math.round(brush.canvas.width / 250));
  brush.lineWidth = line;
  brush.strokeStyle = "#e69f00";
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

PICTURES.flatten = (box) => {
  const about = (says) => ({ role: "img", "aria-label": says });
  const square = mapOf(8 * SIZE, about("28 rows of 28 pixels"));
  const strip = make("canvas", about("The same 784 pixels, row after row"));
  const says = (row) => `Row ${row} is pixels ${row * SIZE} to ${(row + 1) * SIZE - 1}`;
  const title = tested("flatten-at", make("p", { class: "readout" }));
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
  box.append(tested("flatten", make("div", { class: "rows" }, square, side)), place);
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
};

// Tell where a canvas is pointed at: shares of its width and height, below 1.
function pointAtRows(canvas, tellAt) {
  const inside = (value) => Math.max(0, Math.min(0.9999, value));
  for (const kind of ["pointermove", "click"]) {
    canvas.addEventListener(kind, ({ type, pointerType, offsetX, offsetY }) => {
      if (pointerType === "touch" && type !== "click") return; // a finger that scrolls
      tellAt({ x: inside(offsetX / canvas.clientWidth), y: inside(offsetY / canvas.clientHeight) });
    });
  }
}

// How brightly a unit's weights are lit: small activations are seen beside the largest.
function lightOf(activation, most) {
  return activation > 0 ? FAINTEST + (1 - FAINTEST) * Math.sqrt(activation / most) : FAINTEST;
}

// A unit's weights as a button, lit by its activation.
function unitTile(unit, weights) {
  const canvas = mapOf();
  const value = make("span", { class: "score" });
  const name = make("b", {}, `${unit}`);
  const button = tested(`unit-${unit}`, make("button", { type: "button" }, canvas, name, value));
  const numbers = coloured(weights);
  let lit = null;
  const show = (activation, most) => {
    const light = Math.round(255 * lightOf(activation, most)) / 255;
    if (light !== lit) drawNumbers(canvas, numbers, { light });
    lit = light;
    button.classList.toggle("off", activation <= 0);
    setText(value, activation > 0 ? decimal(activation) : "off");
    const says = activation > 0 ? `activation ${decimal(activation)}` : "off";
    setAttribute(button, "aria-label", `Unit ${unit}, ${says}`);
  };
  return { button, show };
}

PICTURES.unit = (box, { network: { layer1 } }) => {
  const rows = rowsOf(layer1);
  const tiles = rows.map((weights, unit) => unitTile(unit, weights));
  const buttons = tiles.map(({ button }) => button);
  const grid = make("div", { class: "units tiles" });
  const title = tested("unit-title", make("p", { class: "readout" }));
  const sum = apart("unit", "weights");
  const relu = tested("unit-relu", make("p", { class: "sum" }));
  sum.element.append(relu);
  const since = comparison();
  const key = colourKey([["positive", "ink here adds"], ["negative", "ink here takes"]]); // prettier-ignore
  box.append(grid, key, title, sum.element, since.element);
  let own = null; // what the visitor has chosen
  let last = null;
  const show = () => {
    const { activations, pre_activations: before } = last;
    const chosen = own ?? indexOfMost(activations);
    press(buttons, chosen);
    setText(title, `Unit ${chosen}${own === null ? ", lit most" : LET_GO}`);
    const total = sum.show(
      last,
      rows[chosen],
      layer1.bias[chosen],
      before[chosen],
      "pre-activation",
    );
    const off = activations[chosen] > 0 ? "" : ": off";
    setText(relu, `activation: max(0, ${total}) = ${decimal(activations[chosen])}${off}`);
  };
  choices(grid, buttons, (i) => {
    own = own === i ? null : i;
    if (last) show();
  });
  return (reading) => {
    last = reading;
    const most = largest(reading.activations);
    tiles.forEach((tile, i) => tile.show(reading.activations[i], most));
    since.show(reading, buttons);
    show();
  };
};

// Which unit changed most since a drawing that the visitor wants to be remembered.
function comparison() {
  const button = make("button", { type: "button" }, "Compare with this drawing from now on");
  const text = tested("unit-changed", make("p"));
  let [kept, last] = [null, null];
  const show = ({ activations }, buttons) => {
    last = activations;
    if (!kept) return;
    const changes = activations.map((activation, i) => Math.abs(activation - kept[i]));
    const unit = indexOfMost(changes);
    const none = changes[unit] === 0;
    buttons.forEach((each, i) => each.classList.toggle("changed", !none && i === unit));
    const span = `from ${decimal(kept[unit])} to ${decimal(activations[unit])}`;
    setText(text, none ? "No unit has changed yet." : `most changed: unit ${unit}, ${span}`);
  };
  heardAt(button, text);
  button.addEventListener("click", () => {
    kept = last;
    setText(text, "Remembered: now change the drawing.");
  });
  const parts = [tested("unit-remember", button), text];
  return { element: make("div", { class: "since" }, ...parts), show };
}

// The dots of a ReLU's plot, one for each unit, and how they are told.
PICTURES.relu = (box, { network: { layer1 } }) => {
  const count = layer1.bias.length;
  const { sheet, box: place } = panel();
  tested("relu", place);
  const on = tested("relu-count", make("p", { class: "readout" }));
  const title = tested("relu-at", make("p", { class: "readout unit-at" }));
  const dots = Array.from({ length: count }, () => draw("circle", { r: DOT }));
  const drop = draw("path", { class: "drop" });
  let [at, reach, width, own, last] = [null, 0, 0, null, null];
  const says = (unit) => {
    if (!last) return `Unit ${unit}`;
    const z = last.pre_activations[unit];
    const off = z > 0 ? "" : ": off";
    return `Unit ${unit}: max(0, ${decimal(z)}) = ${decimal(last.activations[unit])}${off}`;
  };
  const frame = () => {
    const height = Math.min(360, Math.round((width - 56) / 2 + 58));
    const names = { label: "activation", below: "pre-activation" };
    at = axes(sheet, { width, height, x: [-reach, reach], y: [0, reach], ...names });
    const d = `M${at.across(-reach)} ${at.up(0)}H${at.across(0)}L${at.across(reach)} ${at.up(reach)}`;
    at.inside.append(draw("path", { class: "curve", d }), drop, ...dots);
  };
  const show = () => {
    if (!last || !width) return;
    const wanted = reachOf(last.pre_activations);
    if (!at || wanted > reach || wanted < reach / 2) {
      reach = wanted;
      frame();
    }
    const chosen = own ?? indexOfMost(last.activations);
    dots.forEach((dot, i) => {
      const [z, activation] = [last.pre_activations[i], last.activations[i]];
      setAttribute(dot, "cx", at.across(z).toFixed(1));
      setAttribute(dot, "cy", at.up(activation).toFixed(1));
      setAttribute(dot, "class", `${z > 0 ? "on" : "off"}${i === chosen ? " at" : ""}`);
    });
    const [x, y] = [at.across(last.pre_activations[chosen]), at.up(last.activations[chosen])];
    setAttribute(drop, "d", `M${x} ${at.bottom}V${y}H${at.left}`);
    control.set(chosen);
    setText(title, says(chosen));
    const n = last.activations.filter((activation) => activation > 0).length;
    setText(on, `${n} of ${count} are on`);
  };
  const choose = (unit) => {
    own = unit;
    show();
  };
  const control = unitSlider(count, says, choose);
  box.append(on, place, control.element, title);
  onPoint(sheet, (x) => {
    if (last && at) choose(nearestTo(x, last.pre_activations.map(at.across)));
  });
  onWidth(place, (next) => {
    [width, at] = [next, null];
    show();
  });
  return (reading) => {
    last = reading;
    show();
  };
};

function reachOf(numbers) {
  return REACH_STEP * Math.max(1, Math.ceil(largest(numbers) / REACH_STEP));
}

function nearestTo(x, places) {
  return indexOfMost(places.map((each) => -Math.abs(each - x)));
}

// A slider that also follows what is shown, without being moved by the visitor.
function unitSlider(count, says, move) {
  const control = slider("relu", { label: "Unit", count, first: 0, says, move });
  const range = control.element.querySelector("input");
  const set = (unit) => {
    range.value = unit;
    setAttribute(range, "aria-valuetext", says(unit));
  };
  return { element: control.element, set };
}

const WAYS_OF_LOGITS = [
  ["two", "two layers, no ReLU"],
  ["one", "one matrix"],
  ["relu", "with ReLU"],
];

PICTURES.collapse = (box, { network: { collapsed } }) => {
  const rows = rowsOf(collapsed);
  const maps = rows.map(inkedMap);
  const tiles = maps.map(({ canvas }, i) =>
    make("figure", {}, canvas, make("figcaption", {}, `${i}`)),
  );
  const table = logitsTable();
  const difference = tested("collapse-difference", make("p"));
  const parts = [make("div", { class: "ten tiles" }, ...tiles), table.element, difference];
  box.append(tested("collapse", make("div", {}, ...parts)));
  return (reading) => {
    const line = outlineOf(reading);
    for (const map of maps) map.show(line);
    const input = inputOf(reading);
    const one = rows.map((row, i) =>
      row.reduce((sum, weight, k) => sum + weight * input[k], collapsed.bias[i]),
    );
    const two = reading.without_relu;
    table.show([two, one, reading.logits]);
    const most = largest(two.map((logit, i) => logit - one[i]));
    setText(
      difference,
      `The first two columns are the same logits: their largest difference is ${most.toFixed(7)}.`,
    );
  };
};

// Ten logits in each of some ways, as numbers and bars, and which is the highest.
function logitsTable() {
  const cellOf = (way, i) =>
    make("td", {}, tested(`collapse-${way}-${i}`, make("span")), signedBar(0));
  const cells = WAYS_OF_LOGITS.map(([way]) => DIGITS.map((i) => cellOf(way, i)));
  const best = WAYS_OF_LOGITS.map(([way]) => tested(`collapse-${way}-highest`, make("span")));
  const head = WAYS_OF_LOGITS.map(([, name]) => make("th", { scope: "col" }, name));
  const rowOf = (name, parts) => make("tr", {}, make("th", { scope: "row" }, name), ...parts);
  const rows = DIGITS.map((i) => rowOf(`${i}`, cells.map((column) => column[i]))); // prettier-ignore
  const element = make(
    "table",
    { class: "logits" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "digit"), ...head)),
    make("tbody", {}, ...rows),
    make(
      "tfoot",
      {},
      rowOf(
        "highest",
        best.map((part) => make("td", {}, part)),
      ),
    ),
  );
  const show = (all) => {
    const most = largest(all.flat()) || 1;
    all.forEach((logits, way) => {
      const highest = indexOfMost(logits);
      logits.forEach((logit, i) => {
        const cell = cells[way][i];
        setText(cell.firstChild, decimal(logit));
        setBar(cell.lastChild, logit / most);
        cell.classList.toggle("highest", i === highest);
      });
      setText(best[way], `${highest}`);
    });
  };
  return { element, show };
}
