"""Strokes to ink: the one renderer, for the page, the API, training and the tests."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.limits import LIMITS, Limits

Strokes = Sequence[Sequence[Sequence[float]]]

PEN_WIDTH = 0.14  # of the drawing's long side: lines come out as thick as MNIST's median digit's
LONG_SIDE = 80  # px of ink, pen included: four times preprocessing's box, a whole factor
MARGIN = 2  # px of paper around the ink
WIDTHS = (0.125, 4.0)  # the pen's width at a point, of its usual one: from a hairline to a marker
_WIDTH_STEPS = 8  # to 1: no eye sees finer ones, and the weights were trained on these
_PIECE = 4.0  # px; longer segments are cut, so that every piece fits one small square of pixels
_CHUNK = 64_000  # pixels at a time: they fit a core's cache, and many points take little memory
_POINT = 1e-9  # a drawing no larger than this is a dot: no pen draws finer, and 1/0 is near


class DrawingError(ValueError):
    """These are not strokes that can be drawn."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """Where a drawing lies on the sheet that `draw` draws it on."""

    low: np.ndarray  # (2,): the least x and y, in the strokes' unit
    scale: float  # px to a unit; 0 for a dot, which has no size of its own
    margin: float  # px, from the sheet's edge to the outermost pen's centre
    pen_width: float  # px, where a point's width is 1
    height: int  # px
    width: int  # px

    def place(self, points: np.ndarray) -> np.ndarray:
        """Return points, (P, 2) in the strokes' unit, in pixels of the sheet."""
        return (points - self.low) * self.scale + self.margin


def draw(strokes: Strokes, *, pen_width: float = PEN_WIDTH, limits: Limits = LIMITS) -> np.ndarray:
    """Draw strokes at a standard size, whatever their unit: (H, W) float32, ink 1 on paper 0.

    `strokes` is `[[[x, y], ...], ...]`: a list of points for each time the pen was down, y down.
    A point may have a third number, the pen's width there: 1 is the usual one, and pressure or a
    thicker pen make more. `pen_width` is relative to the drawing's long side, from the pen's
    centre to its centre. The ink is fitted to 80 px on its long side; a stroke of one point is a
    dot; no stroke at all is an empty sheet.

    Raises:
        DrawingError: not of that form, not finite, or more strokes or points than the limits.
    """
    points = parse(strokes, limits=limits)
    sheet = lay_out(points, pen_width=pen_width)
    lines = [_without_repeats(p) for p in points]
    if not lines:
        return np.zeros((sheet.height, sheet.width), np.float32)
    pens = np.concatenate([_widths(line) for line in lines]) * sheet.pen_width
    placed = [sheet.place(line[:, :2]) for line in lines]
    return _draw(placed, pens, height=sheet.height, width=sheet.width)


def lay_out(points: Sequence[np.ndarray], *, pen_width: float = PEN_WIDTH) -> Sheet:
    """Find where parsed strokes, each (P, 3), lie on the sheet that `draw` draws them on."""
    if not points:
        side = LONG_SIDE + 2 * MARGIN
        return Sheet(np.zeros(2), 0.0, side / 2, 0.0, side, side)
    every = np.concatenate(points)
    low = every[:, :2].min(axis=0)
    extent = every[:, :2].max(axis=0) - low  # (2,)
    long_side = float(extent.max()) if extent.max() >= _POINT else 0.0
    widest = float(every[:, 2].max())
    relative = pen_width * widest
    pen = LONG_SIDE * (relative / (1 + relative) if long_side else 1.0)
    scale = (LONG_SIDE - pen) / long_side if long_side else 0.0
    margin = MARGIN + pen / 2
    width, height = np.ceil(extent * scale + 2 * margin - _POINT).astype(int)  # 84.0…01 is 84
    return Sheet(low, scale, margin, pen / widest, int(height), int(width))


def rasterize(
    strokes: Sequence[np.ndarray], *, pen_width: float, height: int, width: int
) -> np.ndarray:
    """Draw strokes, each (P, 2) in pixels, with a round pen: (height, width) float32 in 0..1.

    A pixel's ink is how much of it a pen's edge at that distance would cover, so lines are
    antialiased at any angle and the result does not depend on how a line is cut into points.
    Ink outside the sheet is cut off.
    """
    n_lines = sum(max(1, len(stroke) - 1) for stroke in strokes)
    return _draw(strokes, np.full(n_lines, pen_width), height=height, width=width)


def parse(strokes: Strokes, *, limits: Limits | None = None) -> list[np.ndarray]:
    """Return the strokes as float64 arrays of x, y and width, (P, 3), without the empty ones.

    What was drawn once is within the limits.

    Raises:
        DrawingError: not of that form, not finite, or more strokes or points than the limits.
    """
    wanted = "strokes are [[[x, y], ...], ...]: a list of points for each time the pen was down"
    if isinstance(strokes, str | bytes | dict) or not hasattr(strokes, "__iter__"):
        raise DrawingError(f"Got {type(strokes).__name__}; {wanted}.")
    strokes = list(strokes)
    if limits:  # before they are converted, which takes longer than to draw what may be drawn
        _refuse_many(strokes, limits)
    try:
        arrays = [np.asarray(stroke) for stroke in strokes]
        points = [array.astype(np.float64, copy=False) for array in arrays if array.size]
    except (TypeError, ValueError, OverflowError) as error:
        raise DrawingError(f"A point is not two numbers; {wanted}.") from error
    if any(array.dtype.kind in "bSU" for array in arrays):  # "1" and True would pass for numbers
        raise DrawingError(f"A point is not two numbers; {wanted}.")
    for p in points:
        if p.ndim != 2 or p.shape[1] not in (2, 3):
            raise DrawingError(f"Got a stroke of shape {p.shape}; {wanted}.")
        if not (np.abs(p) < 1e9).all():  # NaN compares false, too
            raise DrawingError("A coordinate is not a finite number below 1e9.")
        if not ((p[:, 2:] >= WIDTHS[0]) & (p[:, 2:] <= WIDTHS[1])).all():
            raise DrawingError(f"A pen's width is not within {WIDTHS[0]} and {WIDTHS[1]:g}.")
    return [np.column_stack([p, np.ones(len(p))]) if p.shape[1] == 2 else p for p in points]


def _refuse_many(strokes: Strokes, limits: Limits) -> None:
    if len(strokes) > limits.max_strokes:
        raise DrawingError(f"Got {len(strokes)} strokes; at most {limits.max_strokes} are read.")
    n_points = sum(len(stroke) for stroke in strokes if hasattr(stroke, "__len__"))
    if n_points > limits.max_points:
        raise DrawingError(f"Got {n_points} points; at most {limits.max_points} are read.")


def _without_repeats(stroke: np.ndarray) -> np.ndarray:
    """Drop points that repeat the one before: a resting pen sends many, and each costs a stamp."""
    moved = (stroke[1:] != stroke[:-1]).any(axis=1)
    return stroke if moved.all() else stroke[np.concatenate([[True], moved])]


def _widths(stroke: np.ndarray) -> np.ndarray:
    """Return the pen's width, in steps, along each of a stroke's lines; a dot counts as one."""
    widths = stroke[:, 2]
    ends = widths if len(stroke) == 1 else (widths[:-1] + widths[1:]) / 2
    return np.round(ends * _WIDTH_STEPS) / _WIDTH_STEPS


def _draw(
    strokes: Sequence[np.ndarray], pens: np.ndarray, *, height: int, width: int
) -> np.ndarray:
    """Draw strokes, each (P, 2) in pixels, with a pen of some width in pixels for each line."""
    starts, ends, radii = _pieces(strokes, pens / 2)
    side = int(np.ceil(_PIECE + 2 * radii.max())) + 2
    sheet = np.zeros((height + 2 * side, width + 2 * side), np.float32)
    chunk = max(1, _CHUNK // side**2)
    for i in range(0, len(starts), chunk):
        these = slice(i, i + chunk)
        _stamp(sheet, starts[these] + side, ends[these] + side, radii[these], side)
    return np.minimum(sheet[side : side + height, side : side + width], np.float32(1))


def _pieces(
    strokes: Sequence[np.ndarray], radii: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut all lines into pieces of at most _PIECE px: their ends, (N, 2) each, and pens, (N,)."""
    starts = np.concatenate([s[:-1] if len(s) > 1 else s for s in strokes])
    ends = np.concatenate([s[1:] if len(s) > 1 else s for s in strokes])
    reach = np.abs(ends - starts).max(axis=1)
    counts = np.maximum(np.ceil(reach / _PIECE), 1).astype(int)
    which = np.repeat(np.arange(len(starts)), counts)
    nth = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    step = ((ends - starts) / counts[:, None])[which]
    cut = starts[which] + step * nth[:, None]
    return cut, cut + step, radii[which]


def _stamp(
    sheet: np.ndarray, starts: np.ndarray, ends: np.ndarray, radii: np.ndarray, side: int
) -> None:
    """Raise the sheet's ink to what each piece covers, within its square of pixels."""
    corners = np.floor(np.minimum(starts, ends) - radii[:, None] - 0.5).astype(int)  # (N, 2)
    height, width = sheet.shape
    corners = np.minimum(np.maximum(corners, 0), (width - side, height - side))
    pixels = np.arange(side)[:, None]
    # Pieces are the last axis: NumPy's inner loop runs along it, and a square's side is short.
    start, (ax, ay) = (starts - corners).astype(np.float32).T, (ends - starts).astype(np.float32).T
    x, y = ((pixels + 0.5 - each).astype(np.float32) for each in start)  # (side, N) each
    length2 = np.maximum(ax * ax + ay * ay, 1e-12)
    t = (x * (ax / length2)) + (y * (ay / length2))[:, None]  # (side, side, N)
    np.clip(t, 0.0, 1.0, out=t)
    dx, dy = x - t * ax, y[:, None] - t * ay
    distance = np.sqrt(dx * dx + dy * dy)
    covered = np.float32(radii + 0.5) - distance
    np.minimum(covered, np.float32(2 * radii), out=covered)  # hairlines never cover a pixel
    index = (pixels * width + pixels.T)[:, :, None] + (corners[:, 1] * width + corners[:, 0])
    np.maximum.at(sheet.reshape(-1), index.reshape(-1), covered.reshape(-1))
