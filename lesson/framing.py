"""The stages of preprocessing, from a drawing on a sheet to MNIST's format, for the lesson.

Each stage adds one operation to the one before. The last is the result of model/preprocess.py.
Strokes are rendered again instead, without a sheet.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from model.components import box_of
from model.ink import find_ink
from model.mlp import SIZE
from model.preprocess import BOX, EDGE, preprocess, resample

NAMES = ("as drawn", "polarity", "box", "scale", "centre of mass")
ANEW = "drawn anew"  # strokes that model/drawing.py renders again before preprocessing


class Stage(NamedTuple):
    """The network's input after a stage."""

    name: str  # one of NAMES, or ANEW
    image: np.ndarray  # (28, 28) float32 in 0..1; from "polarity" on, ink is 1 and paper 0


def stages(picture: np.ndarray) -> list[Stage]:
    """Return the results of the five stages of preprocessing for a picture.

    `picture` is a whole sheet, (H, W) or (H, W, 3), uint8 or float32 in 0..1, of at most 400 px a
    side, with dark ink on light paper or light ink on dark paper.

    - as drawn: the sheet reduced to 28 × 28, with its own lightness: white paper is 1
    - polarity: ink is 1 and paper 0; what is not part of the digit is removed
    - box: the bounding box of the ink is centred, at the same scale
    - scale: the longer side of the box is 20 px
    - centre of mass: the centre of mass is centred instead of the box: `preprocess(picture)`

    If there is no ink, all stages are 0.

    Raises:
        PictureError: `picture` is not a picture.
    """
    framed = preprocess(picture)
    found = find_ink(picture)
    if framed.blank or found is None:
        return [Stage(name, framed.image) for name in NAMES]
    images = (_as_drawn(picture), *_framed(found.strength), framed.image)
    return [Stage(name, image) for name, image in zip(NAMES, images, strict=True)]


def _as_drawn(picture: np.ndarray) -> np.ndarray:
    """Reduce a sheet, padded with paper to a square, to (28, 28)."""
    grey = picture / np.float32(255) if picture.dtype == np.uint8 else picture
    grey = grey if grey.ndim == 2 else grey.mean(axis=2)
    height, width = grey.shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    sheet = np.full((side, side), np.median(grey), np.float32)
    sheet[top : top + height, left : left + width] = grey
    shrunk = Image.fromarray(sheet).resize((SIZE, SIZE), Image.Resampling.HAMMING)
    return np.clip(np.asarray(shrunk), 0.0, 1.0)


def _framed(strength: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the ink at its place on the sheet, centred, and centred at 20 px: (28, 28) each."""
    left, top, right, bottom = map(int, box_of(strength > EDGE))
    ink = strength[top:bottom, left:right]
    (sheet_height, sheet_width), (height, width) = strength.shape, ink.shape
    side = max(strength.shape)
    where_it_lies = ((sheet_width - side) // 2 - left, (sheet_height - side) // 2 - top)
    fitted = SIZE / BOX * max(ink.shape)  # px of the sheet in 28 px at MNIST's scale
    in_the_middle = [((width - field) / 2, (height - field) / 2) for field in (side, fitted)]
    return (
        resample(ink, *where_it_lies, side),
        resample(ink, *in_the_middle[0], side),
        resample(ink, *in_the_middle[1], fitted),
    )
