"""Convert any picture of a digit to 28 × 28 pixels, in the way MNIST was made.

MNIST's authors scaled each digit's bounding box to 20 × 20 pixels, keeping its aspect ratio, and
moved its centre of mass to the centre of a 28 × 28 field (LeCun, Cortes, Burges, "The MNIST
database of handwritten digits"). This module does the same to every picture, from the page, the API
or Python.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from model.arrays import scale_masks
from model.components import Box, Removed, box_of
from model.drawing import Drawing, Sheet
from model.ink import find_ink
from model.limits import LIMITS
from model.mlp import N_PIXELS, SIZE
from model.picture import Picture, PictureError, to_pixels

BOX = 20  # px; the longer side of the bounding box in MNIST
CENTRE = SIZE / 2 + 0.5  # px; MNIST's centres of mass lie at the centre of pixel 14
BLOCK = 250  # pictures processed at a time: they fit a core's cache
EDGE = 0.2  # fainter ink does not widen the box: JPEG artefacts and grain of paper
MIN_FRAMED = 26  # levels between ink and paper of pictures that keep their pixels
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
    removed: tuple[Removed, ...] = ()  # what is not part of the digit; boxes in px of the picture


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

    The ink is what differs from the paper, in lightness or in colour. Uneven light, frames, ruled
    lines, specks, edges of scans and parts of neighbouring digits are removed (model/ink.py). A
    picture that is already scaled and centred as in MNIST keeps its pixels; any other is resampled
    once, with antialiasing.

    Raises:
        PictureError: it is not a picture, is too large, or has values out of range.
    """
    pixels, zoom = to_pixels(picture, max_pixels)
    if pixels.shape == (SIZE, SIZE):
        levels = pixels if pixels.dtype == np.uint8 else np.rint(255 * pixels).astype(np.uint8)
        ink, inverted, moves, framed = _framed(levels[None])
        if framed[0]:
            return _shift(ink[0], moves[0], bool(inverted[0]), box_of(ink[0] > 0))
    return _preprocess(pixels, zoom)


def _preprocess(pixels: np.ndarray, zoom: float) -> Preprocessed:
    """Preprocess a picture that is not scaled as in MNIST, on paper of one level."""
    found = find_ink(pixels)
    if found is None:
        return _blank()
    box = box_of(found.strength > EDGE)
    if pixels.shape[:2] == (SIZE, SIZE):
        move = _moves(found.strength[None])[0]
        if _fits(np.array(box), move):
            return _shift(found.strength, move, found.inverted, box, found.removed)
    left, top, right, bottom = map(int, box)
    done = frame_ink(found.strength[top:bottom, left:right], corner=(left, top), zoom=zoom)
    removed = tuple(region.scaled(zoom) for region in found.removed)
    return replace(done, inverted=found.inverted, removed=removed)


def preprocess_drawing(drawing: Drawing) -> Preprocessed:
    """Render strokes, then scale and centre them as in MNIST; boxes are in px of the sheet."""
    ink = drawing.render()
    if not ink.any():
        return _blank()
    strength = ink / ink.max()
    left, top, right, bottom = map(int, box_of(strength > EDGE))
    done = frame_ink(strength[top:bottom, left:right], corner=(left, top))
    return replace(done, removed=tuple(_tap(tap, drawing.sheet) for tap in drawing.taps))


def _tap(points: np.ndarray, sheet: Sheet) -> Removed:
    places, reach = sheet.place(points[:, :2]), sheet.pen_width / 2 * points[:, 2].max()
    low, high = places.min(axis=0) - reach, places.max(axis=0) + reach
    return Removed("tap", (*low.tolist(), *high.tolist()))


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
    images = scale_masks(images.reshape(-1, SIZE, SIZE))
    result, blank = np.zeros(images.shape, np.float32), np.zeros(len(images), bool)
    for i in range(0, len(images), BLOCK):
        block, into = images[i : i + BLOCK], result[i : i + BLOCK]
        ink, _, moves, framed = _framed(block)
        for move in np.unique(moves[framed], axis=0):  # 0 for MNIST's images
            some = framed & (moves == move).all(axis=1)
            into[some] = _moved(ink[some], *move)
        for j in np.flatnonzero(~framed):
            done = _preprocess(block[j], 1.0)
            into[j], blank[i + j] = done.image, done.blank
    return result, blank


def _blank() -> Preprocessed:
    nothing = np.zeros((SIZE, SIZE), np.float32)
    return Preprocessed(nothing, True, False, None, 1.0, (0.0, 0.0), (0.0, 0.0))


def _framed(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Find pictures that are already scaled as in MNIST, on paper of one level.

    `levels` is (N, 28, 28) uint8. Returns the ink, (N, 28, 28) float32 in 0..1, whether it was
    darker than the paper, (N,) bool, how far to move it, (N, 2) int, and which pictures are framed,
    (N,) bool; the ink of the others has no meaning. Sums are of integers, so that the results do
    not depend on N.
    """
    low, high, corner = levels.min(axis=(1, 2)), levels.max(axis=(1, 2)), levels[:, 0, 0]
    inverted = (corner == high) & (high > low)
    full = (high - low)[:, None, None]
    strength = np.where(
        inverted[:, None, None], high[:, None, None] - levels, levels - low[:, None, None]
    )
    paper = strength == 0
    border = [paper[:, 0], paper[:, -1], paper[:, :, 0], paper[:, :, -1]]
    framed = ((corner == low) | inverted) & (full[:, 0, 0] >= MIN_FRAMED)
    framed &= np.concatenate(border, axis=1).mean(axis=1) > 0.5
    moves = _moves(np.where(framed[:, None, None], strength, 1))
    framed &= _fits(_boxes(~paper | ~framed[:, None, None]), moves)
    return strength / np.maximum(full, 1).astype(np.float32), inverted, moves, framed


def _shift(
    ink: np.ndarray, move: np.ndarray, inverted: bool, box: Box, removed: tuple[Removed, ...] = ()
) -> Preprocessed:
    """Move ink, (28, 28), that is scaled as in MNIST, by whole pixels.

    Resampling at a scale of 1 would only blur it. MNIST's own images are not moved at all.
    """
    left, top, right, bottom = box
    x, y = centre_of_mass(ink)
    dx, dy = move.tolist()
    shift = (x - (left + right) / 2, y - (top + bottom) / 2)
    image, origin = _moved(ink, dx, dy), (float(-dx), float(-dy))
    return Preprocessed(image, False, inverted, box, 1.0, shift, origin, removed)


def _fits(boxes: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Return whether boxes, (..., 4), have MNIST's size and stay inside when moved: (...) bool."""
    low, high = boxes[..., :2], boxes[..., 2:]
    long_side = (high - low).max(axis=-1)
    framed = (long_side == BOX) | (long_side == BOX - 1)  # 16 of MNIST's 70,000 images have 19
    return framed & (low + moves >= 0).all(axis=-1) & (high + moves <= SIZE).all(axis=-1)


def _moves(ink: np.ndarray) -> np.ndarray:
    """Return the shift in x and y, px, that centres each picture's mass: (N, 2) int."""
    columns, rows = ink.sum(axis=1, dtype=np.float64), ink.sum(axis=2, dtype=np.float64)  # (N, 28)
    middles = np.arange(0.5, SIZE)
    total = rows.sum(axis=1)
    x, y = ((sums * middles).sum(axis=1) / total for sums in (columns, rows))
    return np.rint(CENTRE - np.stack([x, y], axis=1)).astype(int)


def _moved(ink: np.ndarray, dx: int, dy: int) -> np.ndarray:
    return np.roll(ink, (dy, dx), axis=(-2, -1)) if dx or dy else ink


def frame_ink(
    ink: np.ndarray, *, corner: tuple[int, int] = (0, 0), zoom: float = 1.0
) -> Preprocessed:
    """Scale ink, cropped to its box, to 20 px and centre its mass, in one resampling.

    `ink` is (H, W) float32 in 0..1. `corner` is its left and top in the sheet that it was cropped
    from, and `zoom` the number of pixels of the picture per pixel of the sheet.
    """
    height, width = ink.shape
    scale = BOX / max(height, width)
    x, y = centre_of_mass(ink)
    field = SIZE / scale  # side of the 28 × 28 field, in px of the sheet
    # If the centre of mass is far from the centre of the box, centring must not cut off ink.
    x0 = min(max(x - CENTRE / scale, width - field), 0.0)
    y0 = min(max(y - CENTRE / scale, height - field), 0.0)
    image = resample(ink, x0, y0, field)
    left, top = corner
    shift = ((x - width / 2) * scale, (y - height / 2) * scale)
    origin = ((x0 + left) * zoom, (y0 + top) * zoom)
    box = (left * zoom, top * zoom, (left + width) * zoom, (top + height) * zoom)
    return Preprocessed(image, False, False, box, scale / zoom, shift, origin)


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


def centre_of_mass(ink: np.ndarray) -> tuple[float, float]:
    """Return x and y in pixels; the first pixel spans 0 to 1."""
    total = ink.sum()
    x = (ink.sum(axis=0) @ np.arange(0.5, ink.shape[1])) / total
    y = (ink.sum(axis=1) @ np.arange(0.5, ink.shape[0])) / total
    return float(x), float(y)
