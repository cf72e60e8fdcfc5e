"""From a drawing as it stands on the sheet to MNIST's framing, a step at a time.

Each stage does one thing more than the one before; the last is what model/preprocess.py does.
Strokes go another way: they are drawn anew, which takes no sheet.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from model.ink import Tones, count, find_tones
from model.mlp import SIZE
from model.photo import as_grey, even_out
from model.preprocess import BOX, ink_in_box, preprocess, resample

NAMES = ("as drawn", "polarity", "box", "scale", "centre of mass")
ANEW = "drawn anew"  # strokes, by model/drawing.py, before they are framed


class Stage(NamedTuple):
    """A picture as a network would see it at this stage."""

    name: str  # one of NAMES, or ANEW
    image: np.ndarray  # (28, 28) float32 in 0..1; ink 1 on paper 0 from "polarity" on


def stages(picture: np.ndarray) -> list[Stage]:
    """Return what each of the five stages makes of a picture.

    `picture` is a whole sheet, (H, W) uint8 or float32 in 0..1, dark ink on light paper or light
    on dark.

    - as drawn: the sheet, shrunk, its lightness as it is: white paper is 1
    - polarity: the same, but ink is 1 and paper 0
    - box: the box around the ink is moved to the middle, at the same scale
    - scale: the box's long side is 20 px
    - centre of mass: this is in the middle, in place of the box: `preprocess(picture)`

    Where there is no ink, every stage is 0 throughout.

    Raises:
        PictureError: no such picture.
    """
    framed = preprocess(picture)
    if framed.blank:
        return [Stage(name, np.zeros((SIZE, SIZE), np.float32)) for name in NAMES]
    pixels = even_out(picture)
    tones = find_tones(pixels[None], count(pixels[None]))
    images = (_as_drawn(pixels, tones), *_framed(pixels, tones), framed.image)
    return [Stage(name, image) for name, image in zip(NAMES, images, strict=True)]


def _as_drawn(pixels: np.ndarray, tones: Tones) -> np.ndarray:
    """Shrink a sheet, with more of its paper where it is not square: (28, 28)."""
    height, width = pixels.shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    sheet = np.full((side, side), tones.paper[0], np.float32)
    sheet[top : top + height, left : left + width] = as_grey(pixels)
    shrunk = Image.fromarray(sheet).resize((SIZE, SIZE), Image.Resampling.HAMMING)
    return np.clip(np.asarray(shrunk), 0.0, 1.0)


def _framed(pixels: np.ndarray, tones: Tones) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the ink where it lies on the sheet, in the middle, and in the middle at 20 px."""
    ink, (left, top, _, _) = ink_in_box(pixels, tones)
    (sheet_height, sheet_width), (height, width) = pixels.shape, ink.shape
    side = max(pixels.shape)
    where_it_lies = ((sheet_width - side) // 2 - left, (sheet_height - side) // 2 - top)
    fitted = SIZE / BOX * max(ink.shape)  # px of the sheet that 28 px show at MNIST's scale
    in_the_middle = [((width - field) / 2, (height - field) / 2) for field in (side, fitted)]
    return (
        resample(ink, *where_it_lies, side),
        resample(ink, *in_the_middle[0], side),
        resample(ink, *in_the_middle[1], fitted),
    )
