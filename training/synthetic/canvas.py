"""Draw strokes on a canvas as a person would see them, or altered so that the digit stays."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from model.drawing import parse, rasterize
from model.picture import Picture
from training.synthetic.strokes import Polylines

CANVAS = 280  # px
DRAWING = 200  # px: the long side of a drawing on the canvas, 20/28 of the side as in MNIST
STROKE_WIDTHS = (10, 16, 22)  # px
STROKE_WIDTH = 16  # px: of the drawings that altered ones are compared with


def canvas_picture(
    strokes: list,
    stroke_width: float,
    *,
    size: float = DRAWING,
    shift: tuple[float, float] = (0, 0),
) -> np.ndarray:
    """Draw strokes on the canvas: (280, 280) uint8, black on white.

    `size` is the drawing's long side and `shift` its offset from the centre, both in px.
    """
    points = _without_widths(strokes)
    every = np.concatenate(points)
    low, high = every.min(axis=0), every.max(axis=0)
    scale = size / max((high - low).max(), 1e-9)
    centre = (low + high) / 2
    placed = [(p - centre) * scale + CANVAS / 2 + shift for p in points]
    ink = rasterize(placed, pen_width=stroke_width, height=CANVAS, width=CANVAS)
    return (255 - 255 * ink).round().astype(np.uint8)


def _without_widths(strokes: list) -> Polylines:
    """Return each stroke's points without their own widths: the canvas has one stroke width."""
    return [points[:, :2] for points in parse(strokes)]


def rotate(strokes: list, degrees: float) -> Polylines:
    """Rotate strokes about the origin, clockwise as the canvas is seen."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return [points @ np.array([[cos, sin], [-sin, cos]]) for points in _without_widths(strokes)]


def _resized(strokes: list, factor: float) -> Image.Image:
    side = round(CANVAS * factor)
    return Image.fromarray(canvas_picture(strokes, STROKE_WIDTH)).resize((side, side))


def _transparent(strokes: list) -> np.ndarray:
    ink = 255 - canvas_picture(strokes, STROKE_WIDTH)
    zeros = np.zeros_like(ink)
    return np.stack([zeros, zeros, zeros, ink], axis=2)


def _jpeg(strokes: list) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(canvas_picture(strokes, STROKE_WIDTH)).save(file, "JPEG", quality=50)
    file.seek(0)
    return file


# The names are keys of evaluation.json. In them, "pen" is the stroke width.
ALTERATIONS: dict[str, Callable[[list, np.random.Generator], Picture]] = {
    "shifted by up to 60 px": lambda d, rng: canvas_picture(
        d, STROKE_WIDTH * 0.7, size=DRAWING * 0.7, shift=tuple(rng.uniform(-60, 60, 2))
    ),
    **{
        f"drawn at {s} times": lambda d, _, s=s: canvas_picture(
            d, STROKE_WIDTH * s, size=DRAWING * s
        ) for s in (0.3, 0.5, 0.7, 1.3)
    },
    **{f"picture scaled by {s}": lambda d, _, s=s: _resized(d, s) for s in (0.3, 0.5, 2, 3)},
    **{f"pen {w} px": lambda d, _, w=w: canvas_picture(d, w) for w in (6, 8, 10, 13, 20, 23, 26)},
    "light on dark": lambda d, _: 255 - canvas_picture(d, STROKE_WIDTH),
    "transparent": lambda d, _: _transparent(d),
    "JPEG, quality 50": lambda d, _: _jpeg(d),
    **{f"turned by {a} degrees": lambda d, _, a=a: canvas_picture(rotate(d, a), STROKE_WIDTH)
       for a in (-10, -5, 5, 10)},
}  # fmt: skip
