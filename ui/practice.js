// A network of one's own, trained on the server: its settings, how its training goes, and what it
// reads. ui/practice.py says what can be asked.

const VISITOR = "visitor"; // in `tab`: whose training it is, after a reload, too
const LOOK = 300; // ms between two looks at a training
const LOOK_AGAIN = 1500; // ms, where no answer came
const BETWEEN = 8; // ms between an answer and the next question
const HIDDEN_CHOICES = [8, 16, 32, 64, 128, 256];
const LR_CHOICES = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2];
const UNDER_WAY = ["waiting", "starting", "training"];
const CHART = 220; // px high
const LOSSES = [0.01, 10]; // the axis, while none is lower; what grows beyond it leaves the chart
const TILE_GAIN = 0.6; // of the largest weight: what is as bright as can be
const EARLIER = "#8a8a92"; // the lines of the training before
const NO_TRAINING =
  "Training is off here. Run the app yourself: pip install -r requirements.txt && python app.py";
const NO_ANSWER = "No answer from the server. Trying again…";
const FORGOTTEN = "That training is no longer here: start it again.";
const MULTIPLIED =
  "without ReLU its two layers were multiplied out to one, which gives the same logits";

PICTURES.practice = (box, { practice: offer, network }, server) => {
  if (!offer) {
    box.append(tested("practice-off", make("p", { class: "note" }, NO_TRAINING)));
    return null;
  }
  const { visitor, returns } = visitorOf();
  const form = practiceForm(offer);
  const news = practiceNews(offer);
  const answers = practiceAnswers(network.name, (ink) => server.yours({ visitor, ...ink }));
  let points = noPoints();
  let told = false; // whether the end was shown
  let timer = 0;
  let era = 0; // raised by each training that begins: older answers are void
  let returning = returns; // until it is known what the tab has left

  async function train() {
    news.say("Asking for a training…");
    const answer = await inTime(server.train({ visitor, settings: form.settings() }));
    if (answer.error) {
      news.say(answer.error);
      return;
    }
    era += 1;
    begin();
    take(answer);
  }

  function begin() {
    points = noPoints();
    told = false;
    returning = false;
    news.begin();
  }

  async function stop() {
    news.say("Stopping…");
    await inTime(server.stop({ visitor }));
    await look();
  }

  async function look() {
    clearTimeout(timer);
    const asked = era;
    const { loss, val, step } = points;
    const since = { since_loss: loss.length, since_val: val.length, since_step: step };
    try {
      const answer = await inTime(server.look({ visitor, ...since }));
      if (asked === era) take(answer);
    } catch {
      if (asked === era) lose();
    }
  }

  function lose() {
    news.say(NO_ANSWER);
    clearTimeout(timer);
    timer = setTimeout(look, LOOK_AGAIN);
  }

  function take(answer) {
    clearTimeout(timer);
    if (answer.step < points.step) {
      begin(); // it was begun in a copy of this tab
      look();
      return;
    }
    const running = UNDER_WAY.includes(answer.state);
    const ends = !running && answer.state !== "none" && !told;
    told ||= ends;
    form.show({ running });
    if (answer.state !== "none") {
      gather(points, answer);
      if (returning) form.set(answer.settings);
      news.show(answer, points);
    } else if (!returning) {
      news.say(FORGOTTEN); // the server was started anew
    }
    returning = false;
    if (ends) news.end(answer, points);
    answers.offer(answer.has_network, { anew: ends });
    if (running) timer = setTimeout(look, LOOK);
  }

  form.train.addEventListener("click", () => train().catch(lose));
  form.stop.addEventListener("click", () => stop().catch(lose));
  box.append(form.element, news.element, answers.element);
  if (returns) look();
  return answers.update;
};

// A random name for this tab, and whether it has had one before.
function visitorOf() {
  const kept = tab.get(VISITOR);
  if (/^[\w-]{1,64}$/.test(kept ?? "")) return { visitor: kept, returns: true };
  const made = [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  tab.set(VISITOR, made);
  return { visitor: made, returns: false };
}

// What is known of a training: [epoch, loss] and [epoch, loss, accuracy], and the newest weights.
function noPoints() {
  return { loss: [], val: [], step: -1, weights: null };
}

function gather(points, { loss, val, step, weights }) {
  points.loss.push(...loss);
  points.val.push(...val);
  points.step = step;
  points.weights = weights ?? points.weights;
}

function practiceForm({ defaults, max_epochs: most, images }) {
  const hidden = stepsOf("practice-hidden", "Hidden units", HIDDEN_CHOICES, defaults.hidden_size);
  const lr = stepsOf("practice-lr", "Learning rate", LR_CHOICES, defaults.lr);
  const epochs = make("input", { type: "number", min: 1, max: most.subset, inputmode: "numeric" });
  const relu = make("input", { type: "checkbox" });
  const data = dataOf(images);
  const [train, stop] = ["Train", "Stop"].map((text) => make("button", { type: "button" }, text));
  epochs.value = defaults.epochs;
  relu.checked = defaults.relu;
  data.select?.addEventListener("change", () => {
    epochs.max = most[data.value()];
    epochs.value = Math.min(epochs.value, epochs.max);
  });
  stop.disabled = true;
  const element = make(
    "div",
    { class: "practice-form" },
    hidden.element,
    lr.element,
    make("label", { class: "short" }, "Epochs", tested("practice-epochs", epochs)),
    make("label", { class: "short" }, tested("practice-relu", relu), "ReLU"),
    data.element,
    make(
      "div",
      { class: "buttons" },
      tested("practice-train", train),
      tested("practice-stop", stop),
    ),
  );
  const settings = () => ({
    hidden_size: hidden.value(),
    lr: lr.value(),
    epochs: epochs.value === "" ? null : Number(epochs.value),
    relu: relu.checked,
    data: data.value(),
  });
  const show = ({ running }) => {
    if (!running && document.activeElement === stop) train.focus(); // or the keyboard loses its place
    stop.disabled = !running;
  };
  const set = (settings) => {
    hidden.set(settings.hidden_size);
    lr.set(settings.lr);
    relu.checked = settings.relu;
    if (data.select) data.select.value = settings.data;
    epochs.max = most[settings.data];
    epochs.value = settings.epochs;
  };
  return { element, train, stop, settings, set, show };
}

// A slider over some values, which need not be at even steps.
function stepsOf(testid, label, choices, chosen) {
  const all = [...new Set([...choices, chosen])].sort((a, b) => a - b);
  const range = make("input", { type: "range", min: 0, max: all.length - 1, step: 1 });
  const shown = make("b");
  const value = () => all[Number(range.value)];
  const say = () => {
    setText(shown, `${value()}`);
    setAttribute(range, "aria-valuetext", `${value()}`);
  };
  const set = (next) => {
    range.value = Math.max(0, all.indexOf(next));
    say();
  };
  range.addEventListener("input", say);
  set(chosen);
  const element = make("label", { class: "slide" }, label, tested(testid, range), shown);
  return { element, value, set };
}

function dataOf(images) {
  const text = {
    subset: `the ${whole(images.subset.train)} images that ship`,
    mnist: `all ${whole(images.mnist?.train ?? 0)} of MNIST`,
  };
  if (!images.mnist) {
    const note = `It trains on ${text.subset}: not all of MNIST is on the server.`;
    const element = tested("practice-data", make("p", { class: "note" }, note));
    return { element, select: null, value: () => "subset" };
  }
  const options = Object.keys(images).map((name) => make("option", { value: name }, text[name]));
  const select = tested("practice-data", make("select", {}, ...options));
  const element = make("label", { class: "short" }, "Images", select);
  return { element, select, value: () => select.value };
}

// How a training goes: its state in words, which alone is said aloud, its curves and its weights.
function practiceNews({ images }) {
  const state = tested("practice-state", make("p", { class: "state", role: "status" }));
  const bar = tested("practice-progress", make("progress", { "aria-label": "Progress" }));
  const epoch = make("span");
  const charts = practiceCharts();
  const tiles = practiceTiles();
  const result = tested("practice-result", make("p", { class: "readout" }));
  const fold = make("div");
  const runs = practiceRuns(images);
  const seen = make(
    "div",
    { hidden: "" },
    make("div", { class: "progress" }, bar, epoch),
    result,
    charts.element,
    fold,
    tiles.element,
  );
  const say = (text) => setText(state, text);

  function begin() {
    charts.begin();
    result.textContent = "";
    fold.replaceChildren();
  }

  function show(training, points) {
    const { epoch: at, epochs } = training;
    say(stateOf(training));
    const appears = seen.hidden && points.val.length > 0;
    seen.hidden = !points.val.length;
    // The curves are below the settings: who has just pressed Train is to see them move.
    if (appears && training.state === "training") state.scrollIntoView({ block: "start" });
    setAttribute(bar, "max", epochs);
    bar.value = at;
    setText(epoch, `epoch ${Math.min(epochs, Math.floor(at) + 1)} of ${epochs}`);
    charts.show(points, training.settings);
    tiles.show(training, points);
  }

  function end(training, points) {
    if (!points.val.length) {
      if (training.has_network) say(`${stateOf(training)} Your earlier network reads on.`);
      return;
    }
    const { state: how, settings } = training;
    if (how !== "failed") result.textContent = resultOf(training, images[settings.data]);
    const heads = ["epoch", "validation loss", "accuracy"];
    const rows = () =>
      points.val.map(([x, loss, right]) => [figure(x), lossText(loss), share(right)]);
    fold.replaceChildren(numbers("practice", "All validations as a table", heads, rows));
    runs.add(training);
  }

  const element = make("div", {}, state, seen, runs.element);
  return { element, say, begin, show, end };
}

function stateOf({ state, message, place }) {
  const next = place > 1 ? `${place - 1} before you` : "you are next";
  const own = {
    waiting: `Waiting for a free place: ${next}.`,
    starting: "Starting…",
    training: "Training…",
    done: "Done.",
  };
  return own[state] ?? message;
}

function resultOf({ val_accuracy: right, epoch }, { val }) {
  return `${share(right)} of the ${whole(val)} images set apart are read right, after ${epochsOf(epoch)}`;
}

function lossText(loss) {
  return loss > 1e4 ? loss.toExponential(1) : figure(loss);
}

function wordsOf({ hidden_size: size, relu, lr }) {
  return `${size} hidden units ${relu ? "with" : "without"} ReLU, learning rate ${lr}`;
}

function epochsOf(epoch) {
  const text = Number.isInteger(epoch) ? `${epoch}` : epoch.toFixed(1);
  return `${text} ${text === "1" ? "epoch" : "epochs"}`;
}

// Two charts that grow; the training before stays behind them, to compare with.
function practiceCharts() {
  const names = ["training loss", "validation loss", "validation accuracy"];
  const lines = names.map((name, i) => ({ name, colour: colourOf(i), dash: dashOf(i) }));
  const legend = values("practice", lines);
  const [loss, right] = ["practice-loss", "practice-accuracy"].map((testid) => {
    const { sheet, box } = panel();
    return { sheet, box: tested(testid, box) };
  });
  const behind = make("p", { class: "note", hidden: "" });
  let width = 0;
  let shown = null; // { points, settings }
  let before = null;

  function begin() {
    if (shown?.points.val.length > 1) before = shown; // one that failed at once shows nothing
    shown = null;
  }

  function show(points, settings) {
    shown = { points, settings };
    const at = (curve, i) => curve.at(-1)?.[i] ?? null;
    const newest = [at(points.loss, 1), at(points.val, 1)].map(lossText);
    legend.show([...newest, share(at(points.val, 2))]);
    behind.hidden = !before;
    if (before) setText(behind, `Grey, dashed: your training before, ${wordsOf(before.settings)}.`);
    if (width) redraw();
  }

  function redraw() {
    const { points, settings } = shown;
    const common = { width, height: CHART, x: [0, settings.epochs], below: "epoch" };
    const vals = [points, ...(before ? [before.points] : [])].map(({ val }) => val);
    const curves = [curveOf(points.loss, 1), ...vals.map((val) => curveOf(val, 1))];
    const losses = { log: true, y: lossesOf(curves), label: "loss (logarithmic)" };
    plot(axes(loss.sheet, { ...common, ...losses }), curves, lines.slice(0, 2));
    const accuracies = vals.map((val) => curveOf(val, 2));
    const unit = (value) => share(value, 0);
    const rates = { y: [floorOf(accuracies), 1], label: "validation accuracy", unit };
    plot(axes(right.sheet, { ...common, ...rates }), accuracies, lines.slice(2));
  }

  onWidth(loss.sheet.parentElement, (next) => {
    width = next;
    if (shown) redraw();
  });
  const panels = make("div", { class: "panels" }, loss.box, right.box);
  return { element: make("div", {}, panels, legend.table, behind), begin, show };
}

function curveOf(points, i) {
  return points.map((point) => [point[0], point[i]]);
}

function lossesOf(curves) {
  const all = curves.flat().map(([, loss]) => Math.min(loss, LOSSES[1]));
  return extent([[LOSSES[0], ...all]], true);
}

// Guessing is right in one of ten: the axis begins where the lines go on from, not there.
function floorOf(curves) {
  const trained = curves.flat().filter(([epoch]) => epoch > 0);
  const least = Math.min(0.9, ...trained.map(([, right]) => right));
  return Math.max(0, Math.floor(10 * least - 1e-9) / 10);
}

// Draw curves within the frame, those without a line of their own behind the others.
function plot({ across, up, inside, left, right, top, bottom }, curves, lines) {
  const [width, height] = [right - left, bottom - top];
  const view = { x: left, y: top, width, height, viewBox: `${left} ${top} ${width} ${height}` };
  const drawn = curves.map((points, i) => {
    const { name, colour, dash } = lines[i] ?? { name: "before", colour: EARLIER, dash: "3 3" };
    const line = { class: "line", stroke: colour, "stroke-dasharray": dash, "data-line": name };
    return draw("path", { ...line, d: path(points, across, up) });
  });
  inside.append(draw("svg", view, ...drawn.reverse()));
}

// The first hidden units' weights as pictures, each as bright as its own largest weight.
function practiceTiles() {
  const title = make("p", { class: "note" });
  const grid = tested("practice-weights", make("div", { class: "weights", role: "img" }));
  let drawn = null;

  function show({ settings: { hidden_size: size }, scales }, { weights }) {
    if (!weights || weights === drawn) return;
    drawn = weights;
    const all = new Int8Array(bytes(weights).buffer);
    const count = all.length / SIZE ** 2;
    const words = `The weights of ${count < size ? `${count} of the ${size}` : `all ${count}`} hidden units`;
    setText(title, `${words}: blue where ink switches a unit on, orange where it keeps it off.`);
    setAttribute(grid, "aria-label", words);
    while (grid.children.length > count) grid.lastElementChild.remove();
    while (grid.children.length < count) {
      grid.append(make("canvas", { width: SIZE, height: SIZE }));
    }
    [...grid.children].forEach((canvas, i) => {
      const tile = { scale: scales[i] };
      decoded.set(tile, all.subarray(i * SIZE ** 2, (i + 1) * SIZE ** 2));
      drawNumbers(canvas, tile, { full: TILE_GAIN * tile.scale });
    });
  }

  return { element: make("div", {}, title, grid), show };
}

// What the visitor has trained so far, one row each.
function practiceRuns(images) {
  const heads = ["Units", "ReLU", "Rate", "Epochs", "Images", "Accuracy"];
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  const body = make("tbody");
  const table = make("table", {}, make("thead", {}, head), body);
  const about = { class: "scroll", tabindex: 0, role: "region", "aria-label": "Your trainings" };
  const element = make(
    "div",
    { hidden: "" },
    make("h3", {}, "Your trainings"),
    make("div", about, table),
  );
  tested("practice-runs", element);

  function add({ state, settings, epoch, val_accuracy: right }) {
    const { hidden_size: size, relu, lr, data } = settings;
    const epochs = Number.isInteger(epoch) ? epoch : epoch.toFixed(1);
    const reached = state === "failed" ? "failed" : share(right);
    const cells = [size, relu ? "yes" : "no", lr, epochs, whole(images[data].train), reached];
    body.append(make("tr", {}, ...cells.map((cell) => make("td", {}, `${cell}`))));
    element.hidden = false;
  }

  return { element, add };
}

// What the visitor's own network reads, beside the lesson's: of the same ink, the newest next.
function practiceAnswers(name, ask) {
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

  document.addEventListener("reading", ({ detail: { asks } }) => {
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
