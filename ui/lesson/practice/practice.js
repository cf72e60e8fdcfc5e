// Train a network from the page.

import { inTime } from "../../shared/events.js";
import { make, tested } from "../../shared/dom.js";
import { practiceAnswers } from "./answers.js";
import { practiceForm } from "./form.js";
import { practiceNews } from "./news.js";
import { tab } from "../../shared/storage.js";

/** @typedef {import("../../shared/types").Picture} Picture */

const VISITOR = "visitor"; // key of the visitor's random name in `tab`
const LOOK = 300; // ms between two requests for the state of a training
const LOOK_AGAIN = 1500; // ms after a failed request
const UNDER_WAY = ["waiting", "starting", "training"];
const NO_TRAINING =
  "Training is off here. Run the app yourself: pip install -r requirements.txt && python app.py";
const NO_ANSWER = "No answer from the server. Trying again…";
const FORGOTTEN = "That training is no longer here: start it again.";

/** @type {Picture} */
export function practicePicture(box, { practice: offer, network }, server) {
  if (!offer) {
    box.append(tested("practice-off", make("p", { class: "note" }, NO_TRAINING)));
    return null;
  }
  const { visitor, returns } = visitorOf();
  const form = practiceForm(offer);
  const news = practiceNews(offer);
  const answers = practiceAnswers(network.name, (ink) => server.yours({ visitor, ...ink }));
  let points = noPoints();
  let told = false; // whether the end of the training was shown
  let timer = 0;
  let era = 0; // raised when a training begins: older responses are dropped
  let returning = returns; // until the first response after a reload

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
      begin(); // another tab with the same name began a training
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
      news.say(FORGOTTEN); // the server was restarted
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
}

// Return a random name for this tab, and whether it had one before.
function visitorOf() {
  const kept = tab.get(VISITOR);
  if (/^[\w-]{1,64}$/.test(kept ?? "")) return { visitor: kept, returns: true };
  const made = [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  tab.set(VISITOR, made);
  return { visitor: made, returns: false };
}

// The curves of a training: [epoch, loss] and [epoch, loss, accuracy], and the newest weights.
function noPoints() {
  return { loss: [], val: [], step: -1, weights: null };
}

function gather(points, { loss, val, step, weights }) {
  points.loss.push(...loss);
  points.val.push(...val);
  points.step = step;
  points.weights = weights ?? points.weights;
}
