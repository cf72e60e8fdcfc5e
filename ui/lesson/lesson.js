// How it works: the lesson's text, with pictures of the newest reading.

import { PICTURES } from "./pictures.js";
import { SAVED, tab } from "../shared/storage.js";
import { isEmpty } from "../shared/sketch.js";
import { letReach, make, setAttribute, setText } from "../shared/dom.js";
import { percent } from "../shared/numbers.js";
import { listen, tell } from "../shared/events.js";

/** @typedef {import("../shared/types").Start} Start */

const SEEN = 0.25; // share of the window's height; the current step begins above this line
const REMEMBER = 1500; // ms until the address names the current step; steps scrolled past are left out
const BLANK = "Nothing drawn: all pixels are 0. Draw a digit.";

// Because of <base>, a link within the page must contain the page's path.
function address(name) {
  return `${location.pathname}${location.search}#${name}`;
}

function link({ number, name, title }) {
  return make("a", { href: address(name), title, "aria-label": `${number}: ${title}` }, number);
}

// The HTML is safe: the server made it from the project's own text.
function html(className, text) {
  const part = make("div", { class: className });
  part.innerHTML = text;
  return part;
}

function fold(maths) {
  const part = make("details", {}, make("summary", {}, "The mathematics"), html("text", maths));
  part.dataset.testid = "maths";
  return part;
}

function onward(before, after) {
  const to = (step, text) => (step ? make("a", { href: address(step.name) }, text) : "");
  const previous = to(before, `← ${before?.title}`);
  return make("p", { class: "onward" }, previous || make("span"), to(after, `${after?.title} →`));
}

function hasDrawing() {
  const kept = tab.get(SAVED);
  return Boolean(kept?.picture) || kept?.strokes?.length > 0;
}

function toStep() {
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

/** @type {Start} */
export function start(element, props, server) {
  const find = (name) => element.querySelector(`[data-testid=${name}]`);
  const article = find("lesson");
  const steps = find("steps");
  const reads = find("reads");
  const pictures = []; // { box, update, visible, stale }
  let reading = null; // the latest reading
  let fixed = null; // data that does not depend on the drawing
  let remembering = 0;

  function lay({ introduction, steps: all }) {
    article.replaceChildren(
      make("h1", {}, "How it works"),
      html("text", introduction),
      ...all.map((step, i) => section(step, all[i - 1], all[i + 1])),
    );
    find("step-links").replaceChildren(...all.map(link));
    article.removeAttribute("aria-busy");
  }

  function section(step, before, after) {
    const { number, name, title, idea, parts, maths } = step;
    const part = make(
      "section",
      { id: name, "aria-labelledby": `${name}-title` },
      make("h2", { id: `${name}-title` }, `${number}. ${title}`),
      html("idea", idea),
      ...parts.map(shown),
      fold(maths),
      onward(before, after),
    );
    part.dataset.testid = `step-${name}`;
    return part;
  }

  function shown({ kind, key, name, html: inside, text }) {
    if (kind === "text") return html("text", inside);
    if (kind === "try") return html("try", inside);
    if (kind === "picture") return picture(name, text);
    const code = make("div", { class: "code" }, make("pre", {}, make("code", {}, text)));
    if (kind === "live") {
      const output = make("code");
      output.dataset.testid = `output-${key}`;
      code.append(make("pre", { class: "output" }, output));
    }
    return code;
  }

  function picture(name, caption) {
    const box = make("div", { class: `box ${name}` });
    const part = make("figure", { class: "picture" }, box, make("figcaption", {}, caption));
    part.dataset.testid = `picture-${name}`;
    const update = PICTURES[name]?.(box, fixed, server);
    if (update) watch({ box: part, update, visible: false, stale: true });
    return part;
  }

  // Draw pictures when they become visible, so that the others do not slow down the pen.
  function watch(each) {
    pictures.push(each);
    new IntersectionObserver(
      (entries) => {
        each.visible = entries.at(-1).isIntersecting;
        refresh(each);
      },
      { rootMargin: "200px" },
    ).observe(each.box);
  }

  function refresh(each, anyway = false) {
    if (!reading || !each.stale || !(each.visible || anyway)) return;
    each.stale = false;
    each.update(reading);
  }

  function show(next) {
    const first = reading === null;
    reading = next;
    setText(reads, answerOf(reading));
    for (const [key, output] of Object.entries(reading.outputs)) {
      const box = find(`output-${key}`);
      if (box) setText(box, output);
    }
    for (const each of pictures) {
      each.stale = true;
      refresh(each, first); // on the first reading, every picture gets its text, for visitors who jump to it
    }
    if (first) document.fonts.ready.then(() => letReach(article));
  }

  function answerOf({ verdict, digit, confidence }) {
    if (verdict === "blank") return BLANK;
    if (verdict === "not_a_digit") return `${fixed.network.name} reads: not a digit`;
    return `${fixed.network.name} reads ${digit} · ${percent(confidence)}`;
  }

  // Show an example to visitors without a drawing: zeros would explain nothing.
  function begin({ ink }) {
    if (isEmpty(ink) && !hasDrawing()) {
      tell("load", { ink: { strokes: fixed.example, picture: null, example: true } });
    }
  }

  // Mark the current step, and after a while name it in the address.
  function follow() {
    const sections = [...article.querySelectorAll("section")];
    const below = parseFloat(getComputedStyle(sections[0]).scrollMarginTop) + 8; // where links lead
    const line = Math.max(innerHeight * SEEN, below);
    const at = sections.findLast((each) => each.getBoundingClientRect().top <= line) ?? sections[0];
    for (const each of steps.querySelectorAll("a")) {
      if (each.hash === `#${at.id}`) setAttribute(each, "aria-current", "step");
      else each.removeAttribute("aria-current");
    }
    setText(find("step-title"), at.querySelector("h2").textContent);
    clearTimeout(remembering);
    remembering = setTimeout(() => {
      if (location.hash !== `#${at.id}`) history.replaceState(history.state, "", address(at.id));
    }, REMEMBER);
  }

  // For printing, open all folds, draw all pictures and hide navigation. Gradio's own elements are
  // hidden from here because the component's style does not apply to them.
  function unfold(open) {
    for (const each of article.querySelectorAll("details")) {
      each.open = open;
      each.dispatchEvent(new Event("toggle")); // fills the folds that are filled when they open
    }
    for (const part of document.querySelectorAll(".nav-holder, footer")) {
      if (!(part instanceof HTMLElement)) continue;
      part.style.display = open ? "none" : "";
    }
    for (let each = article; each; each = each.parentElement) {
      each.style.cssText = open ? "display: block; height: auto; overflow: visible;" : "";
    }
    if (open) for (const each of pictures) refresh(each, true);
  }

  async function load() {
    try {
      fixed = await server.text({});
    } catch {
      article.textContent = "The server does not respond. Reload the page to try again.";
      article.removeAttribute("aria-busy");
      return;
    }
    const { hash } = location;
    document.title = "How it works · Draw a digit";
    lay(fixed);
    if (hash) toStep();
    listen("reading", ({ lesson }) => show(lesson));
    listen("ink", begin, { once: true });
    tell("joined");
    document.addEventListener("scroll", follow, { passive: true });
    follow();
  }

  window.addEventListener("hashchange", toStep);
  window.addEventListener("beforeprint", () => unfold(true));
  window.addEventListener("afterprint", () => unfold(false));
  load();
}
