// Why this digit, and why not another: each sum that makes the logit, in numbers and as pictures.

const [chosen, against] = ["chosen", "against"].map((name) =>
  element.querySelector(`[data-testid=${name}]`),
);
const compared = element.querySelector(".verdict");
const one = element.querySelector("template.one").content.firstElementChild;

function bar(label, shown, share) {
  const row = document.createElement("li");
  row.innerHTML = "<span></span><span class='track'><i></i></span><span></span>";
  const [name, track, number] = row.children;
  name.textContent = label;
  number.textContent = shown;
  const level = track.firstElementChild;
  level.className = share < 0 ? "negative" : "positive";
  level.style.width = `${50 * Math.abs(share)}%`;
  level.style[share < 0 ? "right" : "left"] = "50%";
  return row;
}

function showUnits(box, account, hidden) {
  const part = box.querySelector(".by-unit");
  part.hidden = !account.units.length;
  if (part.hidden) return;
  const values = [...account.units.map(([, value]) => value), account.rest, account.bias];
  const others = hidden - account.units.length;
  const names = [...account.units.map(([unit]) => `unit ${unit}`), `${others} others`, "bias"];
  if (others <= 0) {
    values.splice(-2, 1);
    names.splice(-2, 1);
  }
  const { terms, total } = addUp(values, account.total);
  const most = Math.max(...values.map(Math.abs), 1e-9);
  const rows = values.map((value, i) => bar(names[i], terms[i], value / most));
  part.querySelector(".terms").replaceChildren(...rows);
  const sum = terms.map((term, i) => (i ? signed(term) : term)).join(" ");
  part.querySelector(".equation").textContent = `${sum} = ${total}`;
}

function showPixels(box, account, seen) {
  drawNumbers(box.querySelector(".template"), account.template);
  drawNumbers(box.querySelector(".product"), account.product);
  const { sum } = account;
  const { terms, total } = addUp([sum.for, sum.against, sum.bias], sum.total);
  box.querySelector("[data-part=pixels]").textContent =
    `By pixel, template × ink: ${terms[0]} (blue) ${signed(terms[1])} (orange) ` +
    `${signed(terms[2])} (bias) = ${total}`;
}

function showStrokes(box, account, strokes) {
  const canvas = box.querySelector(".strokes");
  const line = box.querySelector("[data-part=strokes]");
  canvas.parentElement.hidden = line.hidden = !account.strokes?.length;
  if (line.hidden) return;
  const brush = canvas.getContext("2d");
  brush.setTransform(canvas.width / SIDE, 0, 0, canvas.height / SIDE, 0, 0);
  brush.clearRect(0, 0, SIDE, SIDE);
  const most = Math.max(...account.strokes.map(Math.abs), 1e-9);
  strokes.forEach((stroke, i) => {
    const level = account.strokes[i] / most;
    const faint = Math.max(0.3, Math.abs(level));
    brush.strokeStyle = `rgb(${colour(Math.sign(level || 1), faint).join(" ")})`;
    drawStroke(brush, stroke);
  });
  const { terms, total } = addUp([...account.strokes, account.sum.bias], account.total);
  const named = terms.map((term, i) => {
    const name = i < strokes.length ? `stroke ${i + 1}` : "bias";
    return `${i ? signed(term) : term} (${name})`;
  });
  line.textContent = `By stroke: ${named.join(" ")} = ${total}`;
}

function showAccount(box, kind, reading, strokes) {
  if (!box.firstElementChild) {
    const fresh = one.cloneNode(true);
    for (const part of fresh.querySelectorAll("[data-part]")) {
      part.dataset.testid = `${box.dataset.testid}-${part.dataset.part}`;
    }
    box.append(fresh);
  }
  const { why } = reading;
  const account = why[kind];
  const [first, second] = [logitName(why.chosen), logitName(why.against)];
  const total = decimal(account.total);
  box.querySelector("h3").textContent =
    kind === "logit"
      ? `Why ${first}: its logit is ${total}`
      : `Why ${first} and not ${second}: the logits differ by ${total}`;
  const hidden = reading.layers.at(-1)?.units ?? 0;
  box.querySelector(".by-pixel-text").textContent = hidden
    ? "Around this drawing the whole network is linear, one template:"
    : "Logistic regression has one template for every drawing:";
  showUnits(box, account, hidden);
  showPixels(box, account);
  showStrokes(box, account, strokes);
}

// What one model reads and the other does not, in a sentence.
function compare(readings) {
  if (readings.length < 2) return "";
  const words = readings.map(({ verdict, digit, confidence, not_a_digit, model }) => {
    if (verdict === "blank") return `${model} sees nothing drawn`;
    const share = verdict === "digit" ? confidence : not_a_digit;
    return `${model} reads ${verdict === "digit" ? digit : "not a digit"} (${percent(share)})`;
  });
  const same =
    readings[0].verdict === readings[1].verdict && readings[0].digit === readings[1].digit;
  return `${words.join(same ? ", and " : ", but ")}.`;
}

onReading(element, ({ readings, asks }) => {
  compared.textContent = compare(readings);
  chosen.value = asks.chosen ?? "";
  against.value = asks.against ?? "";
  columns(element, readings.length).forEach((column, i) => {
    column.classList.toggle("blank", readings[i].verdict === "blank");
    for (const box of column.querySelectorAll(".account")) {
      showAccount(box, box.dataset.account, readings[i], asks.strokes ?? []);
    }
  });
});

for (const [name, select] of Object.entries({ chosen, against })) {
  select.addEventListener("change", () => {
    tell("explain", { [name]: select.value === "" ? null : Number(select.value) });
  });
}
