"""Drawings as a person sees them on a canvas, and ways in which the same drawing may arrive."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

import numpy as np
from PIL import Image

from model.drawing import DrawingError, parse, rasterize
from model.picture import Picture
from training.data import DataError

CANVAS = 280  # px
DIGIT = 200  # px: the long side of a drawing on the canvas, 20/28 of it as in MNIST
PENS = (10, 16, 22)  # px
PEN = 16  # px: what the changes are compared with


class Drawing(TypedDict):
    """One digit by one person."""

    writer: int | str
    digit: int
    strokes: list


def load_drawings(path: Path) -> list[Drawing]:
    """Return people's drawings, one a line: {"writer": 1, "digit": 9, "strokes": [[[x, y], …]]}.

    Raises:
        DataError: the file cannot be read, or a line is not such a drawing.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {type(error).__name__}.") from error
    drawings = [_drawing(line, f"{path}, line {i}") for i, line in enumerate(lines, start=1)]
    if not drawings:
        raise DataError(f"{path} is empty: expected a drawing a line.")
    return drawings


def _drawing(line: str, where: str) -> Drawing:
    expected = f'{where}: expected {{"writer": 1, "digit": 9, "strokes": [[[x, y], ...], ...]}}.'
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(expected) from error
    if not isinstance(row, dict) or not row.keys() >= {"writer", "digit", "strokes"}:
        raise DataError(expected)
    if not isinstance(row["writer"], int | str):
        raise DataError(f"{where}: expected a writer's number or name, found {row['writer']!r}.")
    if row["digit"] not in range(10):
        raise DataError(f"{where}: expected a digit in 0..9, found {row['digit']!r}.")
    try:
        strokes = parse(row["strokes"])
    except DrawingError as error:
        raise DataError(f"{where}: {error}") from error
    if not strokes:
        raise DataError(f"{where}: there are no strokes.")
    return {"writer": row["writer"], "digit": row["digit"], "strokes": row["strokes"]}


def canvas_picture(
    strokes: list, pen: float, *, size: float = DIGIT, shift: tuple[float, float] = (0, 0)
) -> np.ndarray:
    """Draw on a canvas of 280 px as a person would see it: (280, 280) uint8, black on white.

    `size` is the drawing's long side and `shift` moves it off the middle, px.
    """
    points = _places(strokes)
    every = np.concatenate(points)
    low, high = every.min(axis=0), every.max(axis=0)
    scale = size / max((high - low).max(), 1e-9)
    centre = (low + high) / 2
    placed = [(p - centre) * scale + CANVAS / 2 + shift for p in points]
    ink = rasterize(placed, pen_width=pen, height=CANVAS, width=CANVAS)
    return (255 - 255 * ink).round().astype(np.uint8)


def _places(strokes: list) -> list[np.ndarray]:
    """Return each stroke's points, (P, 2), without the pen's width: here one pen draws all."""
    return [points[:, :2] for points in parse(strokes)]


def turned(strokes: list, degrees: float) -> list[np.ndarray]:
    """Turn strokes about the origin, clockwise as the canvas is seen."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return [points @ np.array([[cos, sin], [-sin, cos]]) for points in _places(strokes)]


def _resized(strokes: list, factor: float) -> Image.Image:
    side = round(CANVAS * factor)
    return Image.fromarray(canvas_picture(strokes, PEN)).resize((side, side))


def _transparent(strokes: list) -> np.ndarray:
    ink = 255 - canvas_picture(strokes, PEN)
    nothing = np.zeros_like(ink)
    return np.stack([nothing, nothing, nothing, ink], axis=2)


def _jpeg(strokes: list) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(canvas_picture(strokes, PEN)).save(file, "JPEG", quality=50)
    file.seek(0)
    return file


Change = Callable[[list, np.random.Generator], Picture]
CHANGES: dict[str, Change] = {
    "shifted by up to 60 px": lambda d, rng: canvas_picture(
        d, PEN * 0.7, size=DIGIT * 0.7, shift=tuple(rng.uniform(-60, 60, 2))
    ),
    **{f"drawn at {s} times": lambda d, _, s=s: canvas_picture(d, PEN * s, size=DIGIT * s)
       for s in (0.3, 0.5, 0.7, 1.3)},
    **{f"picture scaled by {s}": lambda d, _, s=s: _resized(d, s) for s in (0.3, 0.5, 2, 3)},
    **{f"pen {p} px": lambda d, _, p=p: canvas_picture(d, p) for p in (6, 8, 10, 13, 20, 23, 26)},
    "light on dark": lambda d, _: 255 - canvas_picture(d, PEN),
    "transparent": lambda d, _: _transparent(d),
    "JPEG, quality 50": lambda d, _: _jpeg(d),
    **{f"turned by {a} degrees": lambda d, _, a=a: canvas_picture(turned(d, a), PEN)
       for a in (-10, -5, 5, 10)},
}  # fmt: skip
