// Train a network on the server.

import { inTime } from "../../shared/events.js";
import { make, withTestId } from "../../shared/dom.js";
import { practiceForm } from "./form.js";
import { practiceProgress } from "./progress.js";
import { practiceReadings } from "./readings.js";
import { tab } from "../../shared/storage.js";

/** @typedef {import("../../shared/types").Picture} Picture */

const VISITOR = "visitor"; // key of this tab's random ID in `tab`
const SETTINGS = "practice"; // key of the settings of the last training run in `tab`
const INTERVAL = 300; // ms between two requests for the status
const RETRY = 1500; // ms after a failed request
const RUNNING = ["waiting", "starting", "training", "stopping"];
const OFF =
  "Training is off on this server. Run the app yourself: pip install -r requirements.txt && python app.py";
const NO_RESPONSE = "The server did not respond. Trying again…";
const FORGOTTEN =
  "This training run was lost, because the server stopped or removed it. Your settings are kept.";

/** @type {Picture} */
export function practicePicture(box, { practice: offer, network }, server) {
  if (!offer) {
    box.append(withTestId("practice-off", make("p", { class: "note" }, OFF)));
    return null;
  }
  const kept = tab.get(VISITOR);
  const visitor = kept ?? randomId();
  const form = practiceForm(offer);
  const progress = practiceProgress(offer);
  const readings = practiceReadings(network.name, (ink) => server.yours({ visitor, ...ink }));
  let current = null; // the training run that is shown
  let reloaded = kept !== null; // until the first response
  let newest = 0; // number of the newest request; responses to older ones are dropped
  let timer = 0;

  async function request(name, settings = null) {
    clearTimeout(timer);
    newest += 1;
    const number = newest;
    const body = settings ? { visitor, settings } : { visitor };
    const response = await inTime(server[name](body)).catch(() => null);
    if (number !== newest) return;
    if (!response) {
      progress.say(NO_RESPONSE);
      timer = setTimeout(request, RETRY, "status");
    } else if (response.error) {
      progress.say(response.error);
      if (RUNNING.includes(current?.state)) timer = setTimeout(request, RETRY, "status");
    } else show(response);
  }

  function show(training) {
    const running = RUNNING.includes(training.state);
    let ends = false;
    form.show({ running });
    if (training.state !== "none") {
      const begins = training.number !== current?.number;
      ends = !running && (begins || RUNNING.includes(current.state));
      if (reloaded) form.set(training.settings);
      progress.show(training, { begins, ends });
    } else if (!reloaded || tab.get(SETTINGS)) {
      progress.say(FORGOTTEN);
    }
    current = training;
    reloaded = false;
    readings.offer(training.has_network, { changed: ends });
    if (running) timer = setTimeout(request, INTERVAL, "status");
  }

  form.train.addEventListener("click", () => {
    progress.say("Requesting a training run…");
    tab.set(SETTINGS, form.settings()); // the server that trains may stop
    request("train", form.settings());
  });
  form.stop.addEventListener("click", () => request("stop"));
  box.append(form.element, progress.element, readings.element);
  tab.set(VISITOR, visitor);
  if (tab.get(SETTINGS)) form.set(tab.get(SETTINGS));
  if (reloaded) request("status");
  return readings.update;
}

function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
