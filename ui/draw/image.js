// Load and shrink pictures for the sketchpad, and test whether a canvas can be read.

/** @typedef {import("../shared/types").SketchPicture} SketchPicture */

export const MAX_SIDE = 1024; // px: the server would shrink a larger picture to this
const NOISE = 8; // of 255: some browsers change pixels by 1 or 2 when a page reads them
const ANY_PAPER = "#888"; // dark ink and light ink are both visible on it

/**
 * Load an image.
 * @param {string} url
 * @returns {Promise<HTMLImageElement>}
 */
export async function loadImage(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

/**
 * Load the picture of a data URL.
 * @param {string} url
 * @returns {Promise<SketchPicture>} `image` is what the sketchpad shows; the server measures the ink in the pixels of the original, of which there are `width`
 */
export async function loadPicture(url) {
  const image = await loadImage(url);
  return { url, image: await onPaper(shrink(image)), width: image.naturalWidth };
}

/**
 * Draw an image on a canvas of at most 1024 px a side.
 * @param {HTMLImageElement} image
 * @returns {HTMLCanvasElement}
 */
export function shrink(image) {
  const { naturalWidth: width, naturalHeight: height } = image;
  const zoom = Math.min(1, MAX_SIDE / Math.max(width, height));
  const sheet = document.createElement("canvas");
  sheet.width = Math.max(1, Math.round(width * zoom));
  sheet.height = Math.max(1, Math.round(height * zoom));
  const brush = sheet.getContext("2d", { willReadFrequently: true });
  brush.imageSmoothingQuality = "high";
  brush.drawImage(image, 0, 0, sheet.width, sheet.height);
  return sheet;
}

// Put paper under the transparent parts of a picture: ink in the page's colour would be invisible.
// The server assumes white under dark ink and black under light ink.
async function onPaper(sheet) {
  const brush = sheet.getContext("2d");
  brush.globalCompositeOperation = "destination-over";
  brush.fillStyle = (await canvasIsReadable()) ? paperOf(sheet) : ANY_PAPER;
  brush.fillRect(0, 0, sheet.width, sheet.height);
  return sheet;
}

function paperOf(sheet) {
  const { data } = sheet.getContext("2d").getImageData(0, 0, sheet.width, sheet.height);
  let [opaque, lightness] = [0, 0];
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] > 127) {
      opaque += 1;
      lightness += data[i] + data[i + 1] + data[i + 2];
    }
  }
  return lightness > 1.5 * 255 * opaque ? "#000" : "#fff";
}

/**
 * Return whether a page gets the pixels that it drew. Firefox with resistFingerprinting, Tor and
 * Brave return noise, so that a page cannot recognise a visitor by how the canvas draws. The
 * visitor may change this setting at any time, so the result is not kept.
 * @returns {Promise<boolean>}
 */
export async function canvasIsReadable() {
  const levels = Array.from({ length: 32 }, (_, i) => (151 * i) % 256);
  const sheet = document.createElement("canvas");
  [sheet.width, sheet.height] = [levels.length, 1];
  const brush = sheet.getContext("2d", { willReadFrequently: true });
  levels.forEach((level, x) => {
    brush.fillStyle = `rgb(${level}, ${level}, ${level})`;
    brush.fillRect(x, 0, 1, 1);
  });
  try {
    const copy = await loadImage(sheet.toDataURL("image/png"));
    brush.clearRect(0, 0, levels.length, 1);
    brush.drawImage(copy, 0, 0);
    const { data } = brush.getImageData(0, 0, levels.length, 1);
    return levels.every((level, x) => Math.abs(data[4 * x] - level) <= NOISE);
  } catch {
    return false; // the browser returns no picture at all
  }
}
