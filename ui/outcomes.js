// The lesson's pictures of what comes out: shares, a loss, and what measured networks reach.

const COOLEST = 0.25; // the temperatures that can be tried
const WARMEST = 16;
const PER_DOUBLING = 8;
const WIDEST = 1e5; // a sum above it is told in thousands, millions…
const GUESS = Math.log(10); // the loss where each digit has the same share
const LOSS_ENDS = [5, 10, 20, 50, 100]; // the axis ends at the first that holds the loss
const CURVE = 160; // points of -log p
const TUTORIAL = 32; // hidden units
const USUAL_PEN = "16"; // px, of the three that drawings are read with
const MOST_TERMS = 10; // of a logit's 32: the others are so small that they stand together

PICTURES.second = (box, { network: { layer1, layer2 } }) => {
  const count = layer1.bias.length;
  const all = floats(layer2.weight);
  const weights = DIGITS.map((digit) => all.subarray(digit * count, (digit + 1) * count));
  const maps = rowsOf(layer1).map((row) => coloured(row));
  const scores = DIGITS.map(logitButton);
  const buttons = scores.map(({ button }) => button);
  const grid = make("div", { class: "logit-of", role: "group", "aria-label": "A logit" });
  const title = tested("second-title", make("p", { class: "readout" }));
  const sum = logitSum(maps);
  const off = tested("second-off", make("p", { class: "note" }));
  let [own, last] = [null, null];
  const show = () => {
    const { activations, logits } = last;
    const chosen = own ?? indexOfMost(logits);
    press(buttons, chosen);
    const highest = isBlank(last) ? "" : ", the highest";
    setText(title, `The logit of ${chosen}${own === null ? highest : LET_GO}`);
    const terms = termsOf(activations, weights[chosen]);
    sum.show(terms, layer2.bias[chosen], logits[chosen], chosen);
    setText(off, offTold(count - terms.length, count));
  };
  choices(grid, buttons, (digit) => {
    own = own === digit ? null : digit;
    if (last) show();
  });
  box.append(grid, title, sum.table, off);
  return (reading) => {
    last = reading;
    const best = isBlank(reading) ? null : indexOfMost(reading.logits);
    scores.forEach((each, digit) => each.show(reading.logits[digit], digit === best));
    show();
  };
};

function logitButton(digit) {
  const [name, score] = [make("b", {}, `${digit}`), make("span", { class: "score" })];
  const button = tested(`second-${digit}`, make("button", { type: "button" }, name, score));
  const show = (logit, wins) => {
    setText(name, `${wins ? "▸ " : ""}${digit}`);
    setText(score, decimal(logit));
    const says = `Logit of ${digit}: ${decimal(logit)}${wins ? ", the highest" : ""}`;
    setAttribute(button, "aria-label", says);
  };
  return { button, show };
}

// What each unit that is on adds to a logit, the largest first.
function termsOf(activations, weights) {
  const on = [...activations.keys()].filter((unit) => activations[unit] > 0);
  const terms = on.map((unit) => {
    const [activation, weight] = [activations[unit], weights[unit]];
    return { unit, activation, weight, term: activation * weight };
  });
  return terms.sort((a, b) => Math.abs(b.term) - Math.abs(a.term));
}

function offTold(off, count) {
  const told = off === 1 ? "1 is off and adds nothing" : `${off} are off and add nothing`;
  return `Of the ${count} units, ${off ? told : "none is off"}. Rounded such that all of it adds up.`;
}

// Each product holds in the digits shown: what rounding leaves over is with the others, if any.
function logitSum(maps) {
  const units = Array.from({ length: MOST_TERMS }, () => unitTerm(maps));
  const [others, bias, total] = ["others", "bias", "sum"].map(plainTerm);
  const heads = ["unit", "activation × weight", "= term"].map((text) =>
    make("th", { scope: "col" }, text),
  );
  const table = make(
    "table",
    {},
    make("thead", {}, make("tr", {}, ...heads, make("td"))),
    tested("second-rows", make("tbody", {}, ...units.map(({ row }) => row))),
    make("tbody", {}, others.row, bias.row),
    make("tfoot", {}, total.row),
  );
  const show = (terms, added, logit, digit) => {
    const [shown, rest] = [terms.slice(0, MOST_TERMS), terms.slice(MOST_TERMS)];
    const together = rest.reduce((sum, { term }) => sum + term, 0);
    const parts = shown.map(({ activation, weight, term }) =>
      rest.length ? timesUp(weight, activation).value : term,
    );
    const sizes = [...parts, together, added];
    const told = addUp(sizes, logit, rest.length ? [shown.length] : undefined);
    const most = largest(sizes) || 1;
    units.forEach((unit, i) => {
      unit.row.hidden = i >= shown.length;
      if (shown[i]) unit.show(shown[i], told.terms[i], most);
    });
    others.row.hidden = rest.length === 0;
    others.show(rest.length === 1 ? "1 other" : `${rest.length} others`, told.terms.at(-2), together / most); // prettier-ignore
    bias.show("bias", told.terms.at(-1), added / most);
    total.show(`logit of ${digit}`, told.total);
  };
  return { table, show };
}

function unitTerm(maps) {
  const [map, name, factors, value] = [mapOf(), make("span"), make("td"), make("td")];
  const track = signedBar(0);
  const head = make("th", { scope: "row" }, map, name);
  const bar = make("td", { "aria-hidden": "true" }, track);
  let drawn = null;
  const show = ({ unit, activation, weight, term }, told, most) => {
    if (unit !== drawn) drawNumbers(map, maps[unit]);
    drawn = unit;
    setText(name, `${unit}`);
    setText(factors, [activation, weight].map((each) => tenThousandths(Math.round(1e4 * each))).join(" × ")); // prettier-ignore
    setText(value, told);
    setBar(track, term / most);
  };
  return { row: make("tr", {}, head, factors, value, bar), show };
}

function plainTerm(kind) {
  const [name, value] = [make("th", { scope: "row", colspan: 2 }), make("td")];
  const bar = make("td", { "aria-hidden": "true" }, ...(kind === "sum" ? [] : [signedBar(0)]));
  const show = (words, told, share) => {
    setText(name, words);
    setText(value, told);
    if (bar.firstChild) setBar(bar.firstChild, share);
  };
  return { row: make("tr", {}, name, tested(`second-${kind}`, value), bar), show };
}

PICTURES.softmax = (box, { network }) => {
  const own = network.temperature;
  const stops = temperatures(own);
  const rows = DIGITS.map(softmaxRow);
  const sum = tested("softmax-sum", make("td"));
  const unit = make("span", { class: "unit-of" });
  const told = tested("softmax-at", make("p", { class: "readout" }));
  const note = make("p", { class: "note" });
  const chosen = stops.indexOf(own);
  let [reading, temperature] = [null, own];
  const control = slider("softmax", {
    label: "Temperature",
    count: stops.length,
    first: chosen,
    says: (i) => temperatureName(stops[i], own),
    move: (i) => {
      temperature = stops[i];
      marks.forEach((mark) => setAttribute(mark, "aria-pressed", mark.value === `${temperature}`));
      show();
    },
  });
  tested("softmax-temperature", control.element.lastElementChild);
  const marks = [...new Set([own, 1])].map((stop) => {
    const mark = make("button", { type: "button", value: stop }, temperatureName(stop, own));
    mark.addEventListener("click", () => control.go(stops.indexOf(stop)));
    return tested(stop === own ? "softmax-calibrated" : "softmax-tutorial", mark);
  });
  const show = () => {
    setText(told, temperatureName(temperature, own));
    if (reading) showSoftmax({ rows, sum, unit, told, note }, reading, temperature, own);
  };
  box.append(
    make("div", { class: "warmth" }, control.element, make("div", {}, ...marks)),
    told,
    softmaxTable(rows, sum, unit),
    note,
  );
  control.go(chosen);
  return (next) => {
    reading = next;
    show();
  };
};

// Temperatures by equal steps of their ratio, with the network's own and the tutorial's among them.
function temperatures(own) {
  const count = Math.round(PER_DOUBLING * Math.log2(WARMEST / COOLEST));
  const even = Array.from({ length: count + 1 }, (_, i) => COOLEST * 2 ** (i / PER_DOUBLING));
  const near = (value) => [own, 1].some((each) => Math.abs(Math.log(value / each)) < 0.03);
  return [...even.filter((value) => !near(value)), ...new Set([own, 1])].sort((a, b) => a - b);
}

function temperatureName(value, own) {
  const names = [value === own && "calibrated", value === 1 && "the tutorial’s"].filter(Boolean);
  return [`T = ${value === 1 ? "1" : value.toFixed(2)}`, ...names].join(", ");
}

function softmaxRow(digit) {
  const name = make("th", { scope: "row" }, `${digit}`);
  const cells = ["logit", "divided", "power", "probability"];
  const [logit, divided, power, probability] = cells.map((each) =>
    tested(`softmax-${each}-${digit}`, make("td")),
  );
  const [level, own] = [make("i"), make("b")];
  const bar = make("td", { class: "share", "aria-hidden": "true" }, make("span", {}, level, own));
  const row = make("tr", {}, name, logit, divided, power, probability, bar);
  return { row, name, logit, divided, power, probability, level, own };
}

function softmaxTable(rows, sum, unit) {
  const head = (...inside) => make("th", { scope: "col" }, ...inside);
  const heads = ["digit", "logit z", "z / T"].map((text) => head(text));
  const power = head(unit, "e", make("sup", {}, "z / T"));
  const foot = make(
    "tr",
    {},
    make("th", { scope: "row", colspan: 3 }, "sum"),
    sum,
    make("td", {}, "≈ 100 %"),
    make("td", { "aria-hidden": "true" }),
  );
  return make(
    "table",
    {},
    make("thead", {}, make("tr", {}, ...heads, power, head("probability"), make("td"))),
    make("tbody", {}, ...rows.map(({ row }) => row)),
    make("tfoot", {}, foot),
  );
}

function softmax(logits, temperature) {
  const most = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp((logit - most) / temperature));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

function showSoftmax(parts, { verdict, logits, probabilities }, temperature, own) {
  const blank = isBlank({ verdict });
  const calibrated = probabilities ?? softmax(logits, own);
  const shares = temperature === own ? calibrated : softmax(logits, temperature);
  const best = indexOfMost(logits);
  const powers = powersOf(logits, temperature);
  parts.rows.forEach((row, digit) => {
    row.row.classList.toggle("winner", !blank && digit === best);
    setText(row.name, `${!blank && digit === best ? "▸ " : ""}${digit}`);
    setText(row.logit, blank ? "–" : decimal(logits[digit]));
    setText(row.divided, blank ? "–" : decimal(logits[digit] / temperature));
    setText(row.power, blank ? "–" : powers.shown[digit]);
    setText(row.probability, blank ? "–" : percent(shares[digit]));
    row.level.style.width = blank ? "0" : `${100 * shares[digit]}%`;
    row.own.style.left = `${100 * calibrated[digit]}%`;
    row.own.hidden = blank || temperature === own;
  });
  setText(parts.sum, blank ? "–" : powers.total);
  setText(parts.unit, powers.unit && !blank ? `in ${powers.unit}` : "");
  const name = temperatureName(temperature, own);
  const there = blank ? "draw a digit." : `${best} gets ${percent(shares[best])} of the sum`;
  const here =
    blank || temperature === own
      ? ""
      : `, calibrated ${percent(calibrated[best])} (the thin marks)`;
  setText(parts.told, `${name}: ${there}${here}`);
  setText(parts.note, softmaxNote(verdict));
}

function softmaxNote(verdict) {
  const rounded = "Every column is computed from numbers that are not rounded.";
  if (verdict !== "not_a_digit") return rounded;
  return `The network answers “not a digit”, by an eleventh logit; softmax over the ten shares out 100 % all the same. ${rounded}`;
}

// e^(z / T), in a unit that all ten can be written in, such that they add up.
function powersOf(logits, temperature) {
  const exponents = logits.map((logit) => logit / temperature);
  const sizes = exponents.map(Math.exp);
  const sum = sizes.reduce((total, size) => total + size, 0);
  const thousands = Math.max(0, Math.ceil(Math.log10(sum / WIDEST) / 3));
  const unit = 10 ** (3 * thousands);
  const parts = sizes.map((size) => size / unit);
  const { terms, total } = addUp(parts, sum / unit, DIGITS);
  const shown = terms.map((text) => (text === "0.00" ? "< 0.01" : grouped(text)));
  return { shown, total: grouped(total), unit: thousands ? `10${raised(3 * thousands)}` : "" };
}

function grouped(text) {
  return text.replace(/\B(?=(\d{3})+\.)/g, ",");
}

function raised(power) {
  return [...`${power}`].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");
}

PICTURES.loss = (box) => {
  const buttons = DIGITS.map((digit) => {
    const button = make("button", { type: "button" }, `It is a${digit === 8 ? "n" : ""} ${digit}`);
    button.addEventListener("click", () => {
      const pressed = button.getAttribute("aria-pressed") === "true";
      tell("explain", { chosen: pressed ? null : digit });
    });
    return tested(`label-${digit}`, button);
  });
  const said = tested("loss-label", make("p", { class: "note" }));
  const value = tested("loss-value", make("b"));
  const told = make("span");
  const curve = lossCurve();
  const slopes = lossSlopes();
  box.append(
    make("div", { class: "labels", role: "group", "aria-label": "What you drew" }, ...buttons),
    said,
    make("p", { class: "readout" }, "Loss ", value, told),
    make("div", { class: "beside" }, curve.box, slopes.table),
    make("p", { class: "note" }, "A step of training moves each logit against its slope."),
  );
  return ({ verdict, logits, label }) => {
    const blank = isBlank({ verdict });
    const best = indexOfMost(logits);
    const right = label ?? best;
    const shares = softmax(logits, 1);
    const loss = lossOf(logits, right);
    press(buttons, label);
    setText(said, blank ? "Draw a digit, and say which it is." : labelNote(label, best));
    setText(value, blank ? "–" : lossTold(loss));
    setText(
      told,
      blank ? "" : `: at T = 1, ${right} gets a probability of ${percent(shares[right])}`,
    );
    curve.show(blank ? null : { share: shares[right], loss });
    slopes.show(blank ? null : shares, right);
  };
};

// Minus the logarithm of a digit's share: large where it is small, and never out of range.
function lossOf(logits, right) {
  const most = Math.max(...logits);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0);
  return most - logits[right] + Math.log(total);
}

function lossTold(loss) {
  return loss < 5e-5 ? "< 0.0001" : loss.toFixed(4); // as many digits as PyTorch prints
}

function labelNote(label, best) {
  if (label === null) {
    return `You have not said what it is: the network’s own answer, ${best}, is taken as right.`;
  }
  const agrees = label === best ? "so does the network" : `the network says ${best}`;
  return `You say ${label}, and ${agrees}. Press it again to take it back.`;
}

function lossCurve() {
  const { sheet, box } = panel();
  let [width, at, end, now] = [0, null, LOSS_ENDS[0], null];
  const dot = draw("circle", { r: 6, class: "here" });
  const drop = draw("path", { class: "drop" });
  const lay = () => {
    at = axes(sheet, {
      width,
      height: 260,
      x: [0, 1],
      y: [0, end],
      label: "loss = −log p",
      below: "p, the probability of the right digit",
    });
    const lowest = Math.exp(-end);
    const points = Array.from({ length: CURVE + 1 }, (_, i) => {
      const p = lowest + (1 - lowest) * (i / CURVE) ** 3; // close together where it is steep
      return [p, -Math.log(p)];
    });
    const [x, y] = [at.across(1 / 10), at.up(GUESS)];
    at.inside.append(
      draw("path", { class: "line", d: path(points, at.across, at.up), stroke: colourOf(0) }),
      draw("circle", { cx: x, cy: y, r: 3.5, class: "guess" }),
      draw("text", { x: x + 10, y: y - 4 }, "guessing: p = 0.1, loss 2.30"),
      drop,
      dot,
    );
  };
  const show = (next) => {
    now = next;
    const wanted = LOSS_ENDS.find((each) => each >= (now?.loss ?? 0)) ?? LOSS_ENDS.at(-1);
    if (at && wanted !== end) {
      end = wanted;
      lay();
    }
    for (const part of [dot, drop]) part.style.display = now && at ? "" : "none";
    if (!now || !at) return;
    const [x, y] = [at.across(now.share), at.up(Math.min(now.loss, end))];
    setAttribute(dot, "cx", x);
    setAttribute(dot, "cy", y);
    setAttribute(drop, "d", `M${at.left} ${y}H${x}V${at.bottom}`);
  };
  onWidth(box, (next) => {
    width = next;
    lay();
    show(now);
  });
  return { box, show };
}

function lossSlopes() {
  const rows = DIGITS.map((digit) => {
    const [name, value, way] = [make("th", { scope: "row" }), make("td"), make("td")];
    const track = signedBar(0);
    tested(`slope-${digit}`, value);
    const bar = make("td", { class: "wide", "aria-hidden": "true" }, track);
    return { name, value, way, track, row: make("tr", {}, name, value, bar, way) };
  });
  const heads = ["digit", "slope p − y", "", "pushed"].map((text) =>
    text ? make("th", { scope: "col" }, text) : make("td"),
  );
  const table = make(
    "table",
    {},
    make("thead", {}, make("tr", {}, ...heads)),
    make("tbody", {}, ...rows.map(({ row }) => row)),
  );
  tested("loss-slopes", table);
  const show = (shares, right) => {
    const slopes = shares?.map((share, digit) => share - (digit === right ? 1 : 0));
    const shown = slopes && slopesShown(slopes);
    rows.forEach(({ name, value, way, track, row }, digit) => {
      row.classList.toggle("winner", Boolean(shares) && digit === right);
      setText(name, `${shares && digit === right ? "▸ " : ""}${digit}`);
      setText(value, shown ? shown[digit] : "–");
      setText(way, !shown || shown[digit] === "0.0000" ? "" : digit === right ? "up" : "down");
      setBar(track, slopes ? slopes[digit] : 0);
    });
  };
  return { table, show };
}

// To four digits, as the loss; all ten together push nowhere.
function slopesShown(slopes) {
  const { terms } = addUp(slopes.map((slope) => 100 * slope), 0, DIGITS); // prettier-ignore
  return terms.map((text) => tenThousandths(Math.round(100 * text.replace(MINUS, "-"))));
}

PICTURES.sizes = (box, { figures }) => {
  const { sizes, sizes_epochs: epochs, seeds } = figures.lesson;
  const rows = Object.entries(sizes).map(([size, of]) => ({ size: Number(size), ...of }));
  const baseline = rows.find(({ size }) => size === 0);
  const layers = rows.filter(({ size }) => size > 0);
  const first = Math.max(0, layers.findIndex(({ size }) => size === TUTORIAL)); // prettier-ignore
  const title = tested("sizes-at", make("p", { class: "readout" }));
  const { sheet, box: place } = panel();
  const control = slider("sizes", {
    label: "Hidden units",
    count: layers.length,
    first,
    says: (i) => sizeTold(layers[i]),
    move: (i) => {
      setText(title, sizeTold(layers[i]));
      move(i);
    },
  });
  const move = sizesChart(sheet, layers, baseline, control.go);
  const heads = ["hidden units", "parameters", "mean", "lowest", "highest"];
  tested("sizes", box);
  box.append(
    place,
    control.element,
    title,
    legendOf([["dot", `mean of ${seeds.length} seeds, from the lowest to the highest`], ["ideal", "no hidden layer: logistic regression"]]), // prettier-ignore
    numbers("sizes", "All sizes as a table", heads, () => rows.map(sizeRow)),
    make("p", { class: "note" }, sizesNote(epochs)),
  );
  control.go(first);
};

function sizesNote(epochs) {
  return `All by the tutorial’s recipe, in ${epochs} epochs of 50,000 images; accuracy is that on the 10,000 of validation.`;
}

function sizeTold({ size, n_parameters: count, mean, low, high }) {
  return `${whole(size)} hidden units read ${share(mean, 2)} right (${share(low, 2)} to ${share(high, 2)}), with ${whole(count)} parameters`;
}

function sizeRow({ size, n_parameters: count, mean, low, high }) {
  const shares = [mean, low, high].map((value) => share(value, 2));
  return [size ? whole(size) : "none", whole(count), ...shares];
}

// Accuracy over hidden units, each doubling as wide as the next.
function sizesChart(sheet, rows, baseline, pick) {
  const xs = rows.map((row) => Math.log2(row.size));
  const all = [...rows, baseline].flatMap((row) => [row.low, row.high]);
  const y = [Math.floor(50 * Math.min(...all)) / 50, Math.ceil(100 * Math.max(...all)) / 100];
  let [at, now] = [null, 0];
  const cursor = draw("g", { class: "cursor" });
  onWidth(sheet.parentElement, (width) => {
    at = axes(sheet, {
      width,
      height: 300,
      x: [xs[0] - 0.3, xs.at(-1) + 0.3],
      y,
      at: xs,
      named: (value) => whole(Math.round(2 ** value)),
      label: "validation accuracy",
      unit: (value) => share(value, 0),
      below: "hidden units (logarithmic)",
    });
    at.inside.append(...sizesInside(at, xs, rows, baseline), cursor);
    move(now);
  });
  const move = (i) => {
    now = i;
    if (!at) return;
    const [x, y] = [at.across(xs[i]), at.up(rows[i].mean)];
    cursor.replaceChildren(draw("circle", { cx: x, cy: y, r: 9, class: "ring" }));
  };
  onPoint(sheet, (x) => {
    const away = (i) => Math.abs(at.across(xs[i]) - x);
    pick(xs.reduce((best, _, i) => (away(i) < away(best) ? i : best), 0));
  });
  return move;
}

function sizesInside({ across, up, left, right, top, bottom }, xs, rows, baseline) {
  const level = up(baseline.mean);
  const mean = path(rows.map((row, i) => [xs[i], row.mean]), across, up); // prettier-ignore
  const marks = rows.flatMap(({ size, ...of }, i) => {
    const x = across(xs[i]);
    const [low, high] = [up(of.low), up(of.high)];
    const whisker = `M${x - 5} ${low}h10M${x} ${low}V${high}M${x - 5} ${high}h10`;
    const own = size === TUTORIAL;
    const line = own ? draw("path", { class: "mark", d: `M${x} ${top}V${bottom}` }) : "";
    const name = own ? draw("text", { x: x + 6, y: bottom - 8 }, "the tutorial’s") : "";
    const dot = draw("circle", { cx: x, cy: up(of.mean), r: 4, fill: colourOf(0) });
    return [line, name, draw("path", { class: "whisker", d: whisker }), dot];
  });
  const told = `logistic regression, ${share(baseline.mean, 2)}`;
  return [
    draw("path", { class: "ideal", d: `M${left} ${level}H${right}` }),
    draw("text", { x: right, y: level - 6, "text-anchor": "end" }, told),
    draw("path", { class: "line", d: mean, stroke: colourOf(0) }),
    ...marks.filter(Boolean),
  ];
}

const STAGES = {
  "as drawn": "As drawn: the whole sheet, shrunk",
  polarity: "Polarity: ink is 1, paper 0",
  box: "Box: the ink is moved to the middle",
  scale: "Scale: its long side is 20 px",
  "centre of mass": "Centre of mass: in the middle",
  "drawn anew": "Drawn anew: strokes are drawn again, with one pen",
};

PICTURES.framing = (box, { figures, network }) => {
  const { framing: measured, drawings } = figures.lesson;
  const models = ["mlp-1024", network.name];
  const stages = Object.entries(STAGES).map(([name, words], i) => {
    const shares = models.map((model) => stageShares(measured, drawings, i, model));
    return framingStage({ name, words, i, models, shares });
  });
  const rows = make("ol", {}, ...stages.map(({ item }) => item));
  box.append(rows, make("p", { class: "note" }, framingNote(drawings)));
  return ({ verdict, stages: seen }) => {
    stages.forEach(({ item, canvas, reads }, i) => {
      item.hidden = i >= seen.length; // a picture cannot be drawn anew
      if (item.hidden) return;
      const { pixels, digit, confidence } = seen[i];
      drawSeen(canvas, pixels);
      setText(reads, isBlank({ verdict }) ? "–" : `reads ${digit} · ${percent(confidence)}`);
    });
  };
};

function framingNote({ n, writers, places }) {
  return `The bars: of ${whole(n)} drawings by ${writers} people, each at ${places} places and sizes on the sheet, how many of these ${whole(n * places)} are read right.`;
}

// A stage's share, and what it adds to the one before, in the digits that are shown.
function stageShares(measured, { n, places }, i, model) {
  const all = n * places;
  const right = (name) => Math.round(all * measured[name][model]); // else it is rounded twice
  const shares = Object.keys(STAGES).map((name) => Math.round((1000 * right(name)) / all));
  return { now: shares[i], added: i ? shares[i] - shares[i - 1] : null };
}

function tenths(count) {
  return `${(Math.abs(count) / 10).toFixed(1)}`;
}

function framingStage({ name, words, i, models, shares }) {
  const canvas = make("canvas", { width: SIZE, height: SIZE, class: "map", role: "img" });
  setAttribute(canvas, "aria-label", `Your drawing: ${name}`);
  const reads = tested(`stage-reads-${i}`, make("b"));
  const [title, ...rest] = words.split(": ");
  const bars = shares.map((each, k) => stageBar(models[k], each, i));
  const item = make(
    "li",
    {},
    make("p", { class: "title" }, `${i + 1}. ${title}`),
    make("p", { class: "note" }, rest.join(": ")),
    canvas,
    reads,
    ...bars,
  );
  return { item: tested(`stage-${i}`, item), canvas, reads };
}

function stageBar(model, { now, added }, i) {
  const value = tested(`stage-share-${i}-${model}`, make("span", {}, `${tenths(now)} %`));
  const sign = added < 0 ? MINUS : "+";
  const words = added === null ? "" : `${sign} ${tenths(added)} points`;
  const gain = tested(`stage-added-${i}-${model}`, make("span", { class: "gain" }, words));
  const bar = make("span", { class: "level", "aria-hidden": "true" }, make("i"));
  bar.firstElementChild.style.width = `${now / 10}%`;
  return make("div", { class: "read" }, make("span", {}, model), value, bar, gain);
}

PICTURES.samples = (box, { samples: { distorted, pens } }) => {
  let chosen = 0;
  const shelf = (title, className, buttons, choose) => {
    const grid = make("div", { class: `tiles ${className}`, role: "group", "aria-label": title });
    choices(grid, buttons, choose);
    box.append(make("p", { class: "title" }, title), grid);
  };
  const put = (pixels) => tell("load", { ink: inkOfPixels(pixels) });
  const originals = distorted.map(([pixels], digit) =>
    loader(`sample-digit-${digit}`, pixels, null, `MNIST’s ${digit}`),
  );
  const same = distorted[chosen].map((pixels, k) =>
    loader(`sample-distorted-${k}`, pixels, null, k ? `Distortion ${k}` : "As it is"),
  );
  const byRow = pens[0].flatMap((_, k) => pens.map((row, digit) => [digit, k, row[k]]));
  const synthetic = byRow.map(([digit, k, pixels]) =>
    loader(`sample-pen-${digit}-${k}`, pixels, null, `Synthetic ${digit}, number ${k + 1}`),
  );
  const choose = (digit) => {
    chosen = digit;
    press(originals, digit);
    same.forEach((button, k) => drawSeen(button.firstElementChild, distorted[digit][k]));
  };
  shelf("Digits of MNIST: choose one", "eight", originals, (digit) => {
    choose(digit);
    put(distorted[digit][0]);
  });
  shelf("The same, as it is and distorted", "eight", same, (k) => put(distorted[chosen][k]));
  shelf("Synthetic pens", "ten", synthetic, (i) => put(byRow[i][2]));
  const note = "What you choose is put on the sketchpad. Undo brings your drawing back.";
  box.append(make("p", { class: "note" }, note));
  choose(chosen);
};

const WAYS = {
  alone: "MNIST alone",
  distorted: "MNIST, distorted",
  "pens too": "the same, and pens",
};

PICTURES.ways = (box, { figures }) => {
  tested("ways", box);
  const { ways: measured, drawings, ways_epochs: epochs } = figures.lesson;
  const rows = Object.entries(measured).map(([way, of]) => ({ way: WAYS[way] ?? way, ...of }));
  const groups = [
    { name: "MNIST’s test images", short: "test", digits: 2, of: (row) => row.test_accuracy },
    {
      name: `${whole(drawings.n)} drawings by ${drawings.writers} people`,
      short: "drawings",
      digits: 1,
      of: (row) => row.drawings[USUAL_PEN],
    },
  ];
  const most = Math.max(...groups.flatMap(({ of }) => rows.map((row) => 1 - of(row))));
  const pens = Object.keys(rows[0].drawings);
  const heads = ["way", "test images", ...pens.map((pen) => `drawings, pen ${pen} px`)];
  const table = () =>
    rows.map((row) => [
      row.way,
      share(row.test_accuracy, 2),
      ...pens.map((pen) => share(row.drawings[pen], 1)),
    ]);
  box.append(
    waysTable(groups, rows, most),
    make("p", { class: "readout" }, ...groups.map((group) => make("span", {}, fewer(group, rows)))),
    numbers("ways", "All pens as a table", heads, table),
    make("p", { class: "note" }, waysNote(epochs)),
  );
};

function waysNote(epochs) {
  return `One hidden layer of 1,024, ${epochs} epochs each; people’s drawings with a pen of ${USUAL_PEN} px, and no answer refused.`;
}

function waysTable(groups, rows, most) {
  const heads = ["trained on", "read right", "read wrong"];
  const bodies = groups.map((group) =>
    make(
      "tbody",
      {},
      make("tr", { class: "group" }, make("th", { scope: "rowgroup", colspan: 3 }, group.name)),
      ...rows.map((row, i) => waysRow(group, row, i, most)),
    ),
  );
  return make(
    "table",
    {},
    make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)))),
    ...bodies,
  );
}

function waysRow({ short, digits, of }, row, i, most) {
  const [right, wrong] = rightAndWrong(of(row), digits);
  const cell = (name, text, level) => {
    const bar = make("span", { class: `level ${name}`, "aria-hidden": "true" }, make("i"));
    bar.firstElementChild.style.width = `${100 * level}%`;
    const value = make("span", {}, text);
    return make("td", {}, tested(`ways-${short}-${name}-${i}`, value), bar);
  };
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, row.way),
    cell("right", right, of(row)),
    cell("wrong", wrong, (1 - of(row)) / most),
  );
}

// A share and what it lacks, which make 100 % in the digits that are shown.
function rightAndWrong(value, digits) {
  const steps = 100 * 10 ** digits;
  const count = Math.round(value * steps);
  return [count, steps - count].map((each) => `${((100 * each) / steps).toFixed(digits)} %`);
}

function fewer({ short, digits, of }, rows) {
  const wrong = (row) => rightAndWrong(of(row), digits)[1];
  const times = (1 - of(rows[0])) / (1 - of(rows.at(-1)));
  return `Mistakes on ${short === "test" ? "test images" : "drawings"}: from ${wrong(rows[0])} to ${wrong(rows.at(-1))}, ${times.toFixed(1)} times fewer. `;
}
