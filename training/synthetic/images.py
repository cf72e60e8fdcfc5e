"""Render strokes as the 28 × 28 images that the network sees."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from model.drawing import Drawing
from model.mlp import SIZE
from model.preprocess import Preprocessed, preprocess_drawing

STROKE_WIDTHS = (0.02, 0.28)  # relative to the drawing's long side: from a hairline to a marker


def render(
    strokes: Sequence[np.ndarray],
    rng: np.random.Generator,
    *,
    stroke_widths: tuple[float, float] = STROKE_WIDTHS,
) -> np.ndarray | None:
    """Render strokes with a random stroke width and preprocess them: (28, 28) uint8, or None.

    The renderer and the preprocessing are those of the page. `stroke_widths` are the smallest and
    the largest, relative to the drawing's long side. The result is None if it is blank.
    """
    low, high = np.log(stroke_widths)
    width = float(np.exp(rng.uniform(low, high)))
    # np.ndarray has the methods of a sequence of sequences.
    drawing = Drawing.of(strokes, pen_width=width)  # ty: ignore
    return to_uint8(preprocess_drawing(drawing))


def to_uint8(preprocessed: Preprocessed) -> np.ndarray | None:
    """Return the network's input as (28, 28) uint8, or None if it is blank."""
    if preprocessed.blank:
        return None
    return (255 * preprocessed.image).round().astype(np.uint8)


def tile(images: np.ndarray, *, columns: int) -> Image.Image:
    """Lay out images, (N, 784) uint8, in rows: dark ink on white. An incomplete row is left out."""
    rows = len(images) // columns
    tiles = images[: rows * columns].reshape(rows, columns, SIZE, SIZE)
    return Image.fromarray(255 - tiles.transpose(0, 2, 1, 3).reshape(rows * SIZE, columns * SIZE))
