// The answer of each model that reads: in words, in bars, and the picture that it was given.

function showAnswer(column, { verdict, digit, confidence, not_a_digit, probabilities }) {
  const answer = column.querySelector("output");
  const words = { digit: `${digit}`, not_a_digit: "not a digit", blank: "nothing drawn" };
  const shares = { digit: percent(confidence), not_a_digit: percent(not_a_digit), blank: "" };
  answer.className = verdict;
  answer.querySelector("b").textContent = words[verdict];
  answer.querySelector(".confidence").textContent = shares[verdict];
  const runnerUp = column.querySelector(".runner-up");
  if (verdict === "blank") {
    runnerUp.textContent = "The probability of each digit will stand here.";
    return;
  }
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
  const told = (i) => `${order[i]}, ${percent(probabilities[order[i]])}`;
  runnerUp.textContent =
    verdict === "digit"
      ? `Next: ${told(1)}. Not a digit: ${percent(not_a_digit)}.`
      : `If it were one, the likeliest would be ${told(0)}.`;
}

function showProbabilities(column, { verdict, digit, probabilities }) {
  column.querySelector(".bars").classList.toggle("refused", verdict === "not_a_digit");
  for (const row of column.querySelectorAll(".row")) {
    const share = probabilities?.[Number(row.dataset.digit)];
    row.classList.toggle("read", Number(row.dataset.digit) === digit);
    row.querySelector(".level").style.width = probabilities ? `${100 * share}%` : "0";
    const shown = probabilities ? percent(share) : "–";
    row.querySelector(".share").textContent = shown;
    row.setAttribute("aria-label", `${row.dataset.digit}: ${shown}. Explain it`);
  }
}

function showFrame(column, { frame }) {
  const note = column.querySelector(".note");
  if (!frame) {
    note.textContent = "";
    return;
  }
  const [x, y] = frame.shift.map(decimal);
  const zoom = frame.scale.toPrecision(3);
  note.textContent =
    `Made as MNIST was: the ink's box (dashed) is scaled by ${zoom} to 20 pixels, then moved ` +
    `by ${x} across and ${y} down, which puts its centre of mass (+) in the middle.`;
}

document.addEventListener("reading", ({ detail }) => {
  columns(element, detail.readings).forEach((column, i) => {
    const reading = detail.readings[i];
    column.querySelector(".model").textContent = reading.model;
    showAnswer(column, reading);
    showProbabilities(column, reading);
    drawSeen(column.querySelector("canvas"), reading.seen);
    showFrame(column, reading);
  });
});

element.addEventListener("click", (event) => {
  const row = event.target.closest(".row");
  if (row) tell("explain", { chosen: Number(row.dataset.digit) });
});

columns(element, [{ model: "" }]);
