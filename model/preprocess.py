"""Convert any picture of a digit to 28 × 28 pixels, in the way MNIST was made.

MNIST's authors scaled each digit's bounding box to 20 × 20 pixels, keeping its aspect ratio, and
moved its centre of mass to the centre of a 28 × 28 field (LeCun, Cortes, Burges, "The MNIST
database of handwritten digits"). This module does the same to every picture, from the page, the API
or Python.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from model.arrays import scale_masks
from model.ink import LEVELS, MIN_CONTRAST, Counts, Tones, count, find_ink, find_tones, is_blank
from model.limits import LIMITS
from model.mlp import N_PIXELS, SIZE
from model.photo import as_grey, even_out
from model.picture import Box, Picture, PictureError, box_of, to_grey

BOX = 20  # px; the longer side of the bounding box in MNIST
CENTRE = SIZE / 2 + 0.5  # px; MNIST's centres of mass lie at the centre of pixel 14
BLANK_CELLS = 64  # cells per side, in which noise averages out and ink does not
BLOCK = 250  # pictures processed at a time: their histograms fit a core's cache
EDGE = 0.2  # fainter ink does not widen the box: JPEG artefacts and grain of paper
SMALL = 2 * SIZE  # px; sheets of up to this side are resampled as a whole


@dataclass(frozen=True, eq=False)
class Preprocessed:
    """The network's input, and how it was computed from a picture."""

    image: np.ndarray  # (28, 28) float32 in 0..1, with ink 1 and paper 0
    blank: bool  # no ink was found; all of `image` is 0
    inverted: bool  # the ink was darker than the paper
    box: Box | None  # the bounding box of the ink in the picture, px
    scale: float  # pixels of `image` per pixel of the picture
    shift: tuple[float, float]  # x and y, px: from the box's centre to the centre of mass
    origin: tuple[float, float]  # x and y of the corner of `image` in the picture, px


def preprocess(picture: Picture, *, max_pixels: int = LIMITS.max_pixels) -> Preprocessed:
    """Find the ink in a picture, then scale and centre it as in MNIST.

    `picture` is one of:

    - a PIL image of any mode and size;
    - a file as a path, as bytes, or opened in binary mode: PNG, JPEG, WebP, GIF, BMP or TIFF. A
      file object is read from its start if it can be rewound. If the first frame of an animation or
      the first page of a TIFF has one colour throughout, the first one with ink is read instead,
      out of up to 100 that have at most 2 × `max_pixels` pixels in total;
    - a NumPy array, or a torch tensor on any device: (H, W), (1, H, W), (H, W, 1), (H, W, 3),
      (H, W, 4), (3, H, W) or (4, H, W). Booleans, and integers that are all 0 or 1, are masks.
      Other integers are 0..255; values up to 65,535 are scaled by the smallest of 10, 12, 14 and 16
      bits that holds them all. Floats are 0..1, or 0..255 if one exceeds 1.

    The polarity is detected: the level of most of the border is paper. Uneven light in a photo is
    removed first. A picture that is already scaled and centred as in MNIST keeps its pixels; any
    other is resampled once, with antialiasing.

    Raises:
        PictureError: it is not a picture, is too large, or has values out of range.
    """
    pixels, zoom = to_grey(picture, max_pixels)
    side = max(pixels.shape)
    pixels = even_out(pixels)
    zoom *= side / max(pixels.shape)  # 1, unless it was a photo
    counts = count(pixels[None])
    if _is_blank(pixels, counts):
        nothing = np.zeros((SIZE, SIZE), np.float32)
        return Preprocessed(nothing, True, False, None, 1.0, (0.0, 0.0), (0.0, 0.0))
    tones = find_tones(pixels[None], counts)
    inverted = bool(tones.inverted[0])
    if pixels.shape == (SIZE, SIZE):
        framed = _frame_pixels(tones.ink(as_grey(pixels)[None])[0], inverted)
        if framed:
            return framed
    return _frame(*ink_in_box(pixels, tones), inverted, zoom=zoom)


def preprocess_batch(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Preprocess many small pictures, with the same result as `preprocess`, bit for bit.

    `images` is uint8, (N, 28, 28) or (N, 784). Returns the network's inputs, (N, 28, 28) float32 in
    0..1 with ink 1 and paper 0, and which of them are blank, (N,) bool.

    Raises:
        PictureError: another dtype or shape.
    """
    if images.dtype != np.uint8 or images.shape[1:] not in ((SIZE, SIZE), (N_PIXELS,)):
        raise PictureError(
            f"Got {images.dtype} of shape {images.shape}: send uint8 of shape (N, 28, 28)."
        )
    images = images.reshape(-1, SIZE, SIZE)
    result, blank = np.zeros(images.shape, np.float32), np.empty(len(images), bool)
    for i in range(0, len(images), BLOCK):
        these = slice(i, i + BLOCK)
        blank[these] = _fill(result[these], scale_masks(images[these]))
    return result, blank


def _fill(result: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Write the network's input for each picture to `result`; return which are blank."""
    counts = count(images)
    blank = is_blank(counts)
    written = np.flatnonzero(~blank)
    if written.size:
        ink, inverted = find_ink(images[written], counts._replace(below=counts.below[written]))
        result[written] = _frame_batch(ink, inverted)
    return blank


def _is_blank(pixels: np.ndarray, counts: Counts) -> bool:
    factor = -(-max(pixels.shape) // BLANK_CELLS)
    if factor == 1:
        return bool(is_blank(counts)[0])
    if pixels.dtype == np.uint8:
        # Rounded cells take a fifth of the time, and are off by half a level at most. If their
        # contrast is clearly above the limit, the exact cells need not be computed.
        cells = np.asarray(Image.fromarray(pixels).reduce(factor))[None]
        if not is_blank(count(cells), least=MIN_CONTRAST + 2 / 255)[0]:
            return False
    cells = np.asarray(Image.fromarray(as_grey(pixels)).reduce(factor))[None]
    return bool(is_blank(count(cells), factor=factor)[0])


def _frame_pixels(ink: np.ndarray, inverted: bool) -> Preprocessed | None:
    """Return a picture that is scaled as in MNIST, moved by whole pixels; None for others.

    Resampling at a scale of 1 would only blur it. MNIST's own images are not moved at all.
    """
    left, top, right, bottom = box = box_of(ink > 0)
    x, y = _centre_of_mass(ink)
    dx, dy = round(CENTRE - x), round(CENTRE - y)
    if not _fits(np.array(box), np.array([dx, dy])):
        return None
    shift = (x - (left + right) / 2, y - (top + bottom) / 2)
    image = _moved(ink, dx, dy)
    return Preprocessed(image, False, inverted, box, 1.0, shift, (float(-dx), float(-dy)))


def _fits(boxes: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Return whether boxes, (..., 4), have MNIST's size and stay inside when moved: (...) bool."""
    low, high = boxes[..., :2], boxes[..., 2:]
    long_side = (high - low).max(axis=-1)
    framed = (long_side == BOX) | (long_side == BOX - 1)  # 16 of MNIST's 70,000 images have 19
    return framed & (low + moves >= 0).all(axis=-1) & (high + moves <= SIZE).all(axis=-1)


def _frame_batch(ink: np.ndarray, inverted: np.ndarray) -> np.ndarray:
    """Scale and centre the ink of N pictures, (N, 28, 28).

    Pictures that are already scaled as in MNIST are shifted by whole pixels, the others resampled.
    """
    moves = _moves(ink)
    fits = _fits(_boxes(ink > 0), moves)
    result = np.empty_like(ink)
    for dx, dy in np.unique(moves[fits], axis=0):  # 0 for MNIST's images
        these = np.flatnonzero(fits & (moves == (dx, dy)).all(axis=1))
        result[these] = _moved(ink[these], dx, dy)
    for i in np.flatnonzero(~fits):
        result[i] = _frame(*_in_box(ink[i]), bool(inverted[i]), zoom=1.0).image
    return result


def _moves(ink: np.ndarray) -> np.ndarray:
    """Return the shift in x and y, px, that centres each picture's mass: (N, 2) int."""
    middles = np.arange(0.5, SIZE, dtype=np.float32)
    x, y = np.tile(middles, SIZE), np.repeat(middles, SIZE)
    sums = ink.reshape(-1, N_PIXELS) @ np.stack([x, y, np.ones_like(x)], axis=1)  # (N, 3)
    moves = CENTRE - (sums[:, :2] / sums[:, 2:]).astype(np.float64)
    # These sums round differently from those of a single picture, so ties are computed again.
    ties = np.abs(np.abs(moves - np.rint(moves)) - 0.5) < 1e-3
    for i in np.flatnonzero(ties.any(axis=1)):
        moves[i] = CENTRE - np.array(_centre_of_mass(ink[i]))
    return np.rint(moves).astype(int)


def _moved(ink: np.ndarray, dx: int, dy: int) -> np.ndarray:
    return np.roll(ink, (dy, dx), axis=(-2, -1)) if dx or dy else ink


def ink_in_box(pixels: np.ndarray, tones: Tones) -> tuple[np.ndarray, Box]:
    """Return the ink of a picture, cropped to its box, float32 in 0..1, and the box.

    `pixels` is lightness, (H, W) uint8 or float32 in 0..1, and `tones` its levels of ink and paper.
    """
    if pixels.dtype != np.uint8:
        return _in_box(tones.ink(pixels[None])[0])
    # Ink is monotonic in the level, so the box is found without converting pixels to float.
    n_strong = np.count_nonzero(tones.ink(LEVELS) > EDGE)
    inverted = tones.inverted[0]
    box = box_of(pixels < n_strong if inverted else pixels >= len(LEVELS) - n_strong)
    left, top, right, bottom = map(int, box)
    return tones.ink(as_grey(pixels[top:bottom])[None])[0, :, left:right], box


def _in_box(ink: np.ndarray) -> tuple[np.ndarray, Box]:
    box = box_of(ink > EDGE)
    left, top, right, bottom = map(int, box)
    return ink[top:bottom, left:right], box


def _frame(ink: np.ndarray, box: Box, inverted: bool, *, zoom: float) -> Preprocessed:
    """Scale ink, cropped to its box, to 20 px and centre its mass, in one resampling.

    `zoom` is the number of pixels of the picture per pixel of the ink.
    """
    left, top, right, bottom = box
    height, width = ink.shape
    scale = BOX / max(height, width)
    x, y = _centre_of_mass(ink)
    field = SIZE / scale  # side of the 28 × 28 field, in px of the picture
    # If the centre of mass is far from the centre of the box, centring must not cut off ink.
    x0 = min(max(x - CENTRE / scale, width - field), 0.0)
    y0 = min(max(y - CENTRE / scale, height - field), 0.0)
    image = resample(ink, x0, y0, field)
    shift = ((x - width / 2) * scale, (y - height / 2) * scale)
    origin = ((x0 + int(left)) * zoom, (y0 + int(top)) * zoom)
    box = (left * zoom, top * zoom, right * zoom, bottom * zoom)
    return Preprocessed(image, False, inverted, box, scale / zoom, shift, origin)


def resample(ink: np.ndarray, x0: float, y0: float, field: float) -> np.ndarray:
    """Resample a square field of the ink to (28, 28) float32 in 0..1.

    `x0` and `y0`, both 0 or less, are the corner of the field, and `field` is its side, in ink
    pixels. The field contains all ink; the rest is paper.
    """
    pad, (height, width) = math.ceil(field), ink.shape
    x, y = x0 + pad, y0 + pad
    # Pillow rounds the window to float32. Round it here in the coordinates of the whole padded
    # sheet, so that the result does not depend on how much of the sheet is allocated.
    # To save time, allocate only the window of a large sheet and the margin that resampling reads.
    edges = np.array([x, y, x + field, y + field], np.float32).tolist()
    beyond = math.ceil(field / SIZE) + 1 if pad > SMALL else pad
    left, top = (max(math.floor(start) - beyond, 0) for start in (x, y))
    side = pad + 2 * beyond + 2
    sheet = np.zeros((side, side), np.float32)
    sheet[pad - top : pad - top + height, pad - left : pad - left + width] = ink
    window = (edges[0] - left, edges[1] - top, edges[2] - left, edges[3] - top)
    image = Image.fromarray(sheet).resize((SIZE, SIZE), Image.Resampling.HAMMING, box=window)
    image = np.clip(np.asarray(image), 0.0, 1.0)
    return image / image.max()  # all of MNIST's digits reach full ink


def _boxes(masks: np.ndarray) -> np.ndarray:
    """Return the bounding box of each of N masks, none of them empty: (N, 4)."""
    columns, rows = np.any(masks, axis=1), np.any(masks, axis=2)
    first = [each.argmax(axis=1) for each in (columns, rows)]
    last = [SIZE - each[:, ::-1].argmax(axis=1) for each in (columns, rows)]
    return np.stack(first + last, axis=1)


def _centre_of_mass(ink: np.ndarray) -> tuple[float, float]:
    """Return x and y in pixels; the first pixel spans 0 to 1."""
    total = ink.sum()
    x = (ink.sum(axis=0) @ np.arange(0.5, ink.shape[1])) / total
    y = (ink.sum(axis=1) @ np.arange(0.5, ink.shape[0])) / total
    return float(x), float(y)
