// Load examples and pictures into the sketchpad; save and share drawings.

import { MAX_SIDE, canvasIsReadable, loadImage, loadPicture, shrink } from "./image.js";
import { SIDE } from "../shared/constants.js";
import { drawGrey, pngOf } from "./png.js";
import { dropLink, encode } from "./link.js";
import { isEmpty } from "../shared/sketch.js";
import { make } from "../shared/dom.js";
import { listen, tell } from "../shared/events.js";

/** @typedef {import("../shared/types").Start} Start */

const SMALL = 320 * 320; // px: smaller pictures are sent without loss
const SENT_AS_IS = 500_000; // bytes: smaller files are sent unchanged with each request
const MOST_SENT = 4_000_000; // bytes of a file whose base64 the server accepts
// The first bytes of the files that browsers and the server decode to the same picture. WebP with
// EXIF is left out, as browsers ignore its rotation, and compressed BMP, which the server rejects.
const FORMATS = {
  "image/png": /^[^]PNG\r\n/,
  "image/jpeg": /^\xff\xd8\xff/,
  "image/gif": /^GIF8/,
  "image/webp": /^RIFF[^]{4}WEBP(?![^]*EXIF)/,
  "image/bmp": /^BM[^]{28}\0{4}/,
};
// Other metadata that makes the server rotate a picture and browsers not; XMP may be compressed.
const TURNED = /tiff:Orientation(="|>)[2-8]|XML:com\.adobe\.xmp\0[^\0]|Raw profile type exif/;
const NO_PICTURE = "That file is not a picture that this browser reads: try PNG or JPEG.";
const NOT_CONVERTED =
  "This browser does not let pages convert pictures: open a PNG or JPEG of up to 4 MB.";
const SAVED_AS_IS =
  "This browser does not let pages convert pictures: yours was saved as you opened it.";

async function take(file) {
  if (!file) return;
  try {
    const url = await sendable(file);
    if (url) tell("load", { ink: { strokes: [], picture: await loadPicture(url) } });
    else tell("notice", NOT_CONVERTED);
  } catch {
    tell("notice", NO_PICTURE);
  }
}

// Return a picture as a data URL that the server reads. Small supported files are sent unchanged,
// others as a smaller copy. If the canvas cannot be read, supported files are sent unchanged whatever
// their size; for others the result is null.
async function sendable(file) {
  const type = await formatOf(file);
  const url = await dataUrl(new Blob([file], { type: type ?? file.type }));
  const image = await loadImage(url);
  const side = Math.max(image.naturalWidth, image.naturalHeight);
  if (type && file.size <= SENT_AS_IS && side <= MAX_SIDE) return url;
  if (await canvasIsReadable()) return copyOf(image, type ?? file.type);
  return type && url;
}

// Return the type of a file that the server reads as it is, else null.
async function formatOf(file) {
  if (file.size > MOST_SENT) return null;
  const text = new TextDecoder("latin1").decode(await file.arrayBuffer());
  if (TURNED.test(text)) return null;
  return Object.keys(FORMATS).find((type) => FORMATS[type].test(text)) ?? null;
}

function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(blob);
  });
}

// Shrink a picture to the size that the server reads, so that a photo is a small request.
function copyOf(image, type) {
  const sheet = shrink(image);
  // A camera's noise makes a PNG large. Only formats without transparency can become JPEG.
  const photo = /jpeg|hei[cf]/.test(type) && sheet.width * sheet.height > SMALL;
  return photo ? sheet.toDataURL("image/jpeg", 0.9) : sheet.toDataURL("image/png");
}

function download(name, url) {
  make("a", { href: url, download: name }).click();
}

function downloadBlob(name, blob) {
  const url = URL.createObjectURL(blob);
  download(name, url);
  URL.revokeObjectURL(url);
}

/** @type {Start} */
export function start(element, props) {
  const EXAMPLES = props.examples.map((line) => JSON.parse(line));

  const find = (name) => element.querySelector(`[data-testid=${name}]`);
  let linked = null; // what the link in the address bar holds
  let held = { ink: { strokes: [], picture: null }, models: [] }; // what the sketchpad holds now

  listen("ink", (detail) => {
    if (linked && (linked.ink !== detail.ink || `${linked.models}` !== `${detail.models}`)) {
      linked = null; // the link is outdated: a reload must not bring its drawing back
      dropLink();
    }
    held = detail;
    find("save-png").disabled = isEmpty(held.ink);
    find("save-json").disabled = find("copy-link").disabled = held.ink.strokes.length === 0;
  });

  for (const button of element.querySelectorAll("[data-example]")) {
    button.addEventListener("click", () => {
      const { strokes } = EXAMPLES[Number(button.dataset.example)];
      tell("load", { ink: { strokes, picture: null }, replay: true });
    });
  }

  const chooser = find("picture");
  find("open").addEventListener("click", () => chooser.click());
  const open = () => {
    take(chooser.files[0]);
    chooser.value = "";
  };
  chooser.addEventListener("change", open);
  if (chooser.files.length) open(); // chosen before this module was loaded

  document.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find((each) => each.type.startsWith("image/"));
    if (!file) return;
    event.preventDefault();
    take(file);
  });

  // Accept pictures anywhere on the page: the browser would leave the page to show them.
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });

  find("save-png").addEventListener("click", async () => {
    const { strokes, picture } = held.ink;
    if (!picture) downloadBlob("digit.png", await pngOf(drawGrey(strokes, 2), 2 * SIDE));
    else if (await canvasIsReadable()) download("digit.png", picture.image.toDataURL("image/png"));
    else {
      download(`digit.${/\w+(?=;)/.exec(picture.url)}`, picture.url);
      tell("notice", SAVED_AS_IS);
    }
  });

  find("save-json").addEventListener("click", () => {
    const text = JSON.stringify(held.ink.strokes);
    downloadBlob("digit.json", new Blob([text], { type: "application/json" }));
  });

  find("copy-link").addEventListener("click", async () => {
    const [model, beside] = held.models;
    const parts = new URLSearchParams({ model, drawing: encode(held.ink.strokes) });
    if (beside) parts.set("beside", beside);
    const url = new URL(location.href);
    url.hash = parts.toString();
    history.replaceState(null, "", url);
    linked = held;
    try {
      await navigator.clipboard.writeText(url.href);
      tell("notice", "The link is copied.");
    } catch {
      tell("notice", "The link is in the address bar: copy it from there.");
    }
  });

  tell("joined");
}
