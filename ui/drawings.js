// Drawings from elsewhere, and for elsewhere: examples, pictures, files, a link.

const MAX_SIDE = 1024; // px of a picture: what the server would shrink it to
const SMALL = 320 * 320; // px of a picture that is sent without loss
const EXAMPLES = props.examples.map((line) => JSON.parse(line));

const find = (name) => element.querySelector(`[data-testid=${name}]`);
let linked = null; // what the link in the address bar holds
let held = { ink: { strokes: [], picture: null }, models: [] }; // what the sketchpad holds now

document.addEventListener("ink", ({ detail }) => {
  if (linked && (linked.ink !== detail.ink || `${linked.models}` !== `${detail.models}`)) {
    linked = null; // the address is of what is gone: a reload must not bring it back
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
chooser.addEventListener("change", () => {
  take(chooser.files[0]);
  chooser.value = "";
});

document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((each) => each.type.startsWith("image/"));
  if (!file) return;
  event.preventDefault();
  take(file);
});

// A picture may be dropped anywhere: a browser would leave the page to show it.
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  take(event.dataTransfer.files[0]);
});

// Shrink a picture to what is read of it, so that a photo of a phone is a small question.
async function take(file) {
  if (!file) return;
  try {
    const whole = await createImageBitmap(file);
    const zoom = Math.min(1, MAX_SIDE / Math.max(whole.width, whole.height));
    const sheet = document.createElement("canvas");
    sheet.width = Math.max(1, Math.round(whole.width * zoom));
    sheet.height = Math.max(1, Math.round(whole.height * zoom));
    const brush = sheet.getContext("2d");
    brush.imageSmoothingQuality = "high";
    brush.drawImage(whole, 0, 0, sheet.width, sheet.height);
    // A camera's noise makes a PNG large; it has been through a JPEG already.
    const photo = file.type !== "image/png" && sheet.width * sheet.height > SMALL;
    const url = photo ? sheet.toDataURL("image/jpeg", 0.9) : sheet.toDataURL("image/png");
    tell("load", { ink: { strokes: [], picture: { url, image: onPaper(sheet) } } });
  } catch {
    tell("notice", "That file is not a picture that this browser reads: try PNG or JPEG.");
  }
}

function download(name, url) {
  const link = document.createElement("a");
  Object.assign(link, { href: url, download: name });
  link.click();
}

find("save-png").addEventListener("click", () => {
  if (held.ink.picture) {
    download("digit.png", held.ink.picture.image.toDataURL("image/png"));
    return;
  }
  const sheet = document.createElement("canvas");
  sheet.width = sheet.height = 2 * SIDE;
  const brush = sheet.getContext("2d");
  brush.scale(2, 2);
  brush.fillStyle = "#fff";
  brush.fillRect(0, 0, SIDE, SIDE);
  drawInk(brush, held.ink, "#000");
  download("digit.png", sheet.toDataURL("image/png"));
});

find("save-json").addEventListener("click", () => {
  const file = new Blob([JSON.stringify(held.ink.strokes)], { type: "application/json" });
  const url = URL.createObjectURL(file);
  download("digit.json", url);
  URL.revokeObjectURL(url);
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
