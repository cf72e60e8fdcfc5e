"""Render strokes as ink. The page, the API, training and the tests all use this renderer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from model.limits import LIMITS, Limits

Strokes = Sequence[Sequence[Sequence[float]]]

PEN_WIDTH = 0.14  # relative to the drawing's longer side; gives MNIST's median line width
LONG_SIDE = 80  # px of ink, including the stroke width: four times the box of preprocessing
MARGIN = 2  # px of paper around the ink
WIDTHS = (0.125, 4.0)  # relative to the usual stroke width: from hairline to marker
_WIDTH_STEPS = 8  # widths are rounded to eighths, as in training
TAP_SIZE = 0.05  # relative to the long side of the other strokes: the largest stray tap
TAP_GAP = 0.45  # the same: dots of i, j and ! are nearer
_PIECE = 4.0  # px; longer lines are cut, so that each piece fits a small square of pixels
# Drawings of more pieces are simplified. Real digits and 4,840 characters of other scripts have at
# most 600, so the pictures that the weights were trained on do not change.
_MAX_PIECES = 4_000
_CELL = 0.5  # px; simplification keeps one piece per square cell of this side
_CELLS_PER_PEN = 32  # cells are enlarged so that the widest pen has at most this many
_MAX_SAMPLES = 200_000  # pieces before simplification; `draw` needs at most half as many
_CHUNK = 64_000  # pixels processed at a time: they fit a core's cache and take little memory
_DOT_SIZE = 1e-9  # a drawing of at most this size is a dot, to avoid a division by almost 0


class DrawingError(ValueError):
    """The strokes are invalid, or exceed the limits."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """The position and scale of a drawing on the sheet that `draw` renders."""

    low: np.ndarray  # (2,): the smallest x and y, in the strokes' unit
    scale: float  # px per unit; 0 for a dot, which has no size
    margin: float  # px from the edge of the sheet to the nearest point of the strokes
    pen_width: float  # px, for points of width 1
    height: int  # px
    width: int  # px

    def place(self, points: np.ndarray) -> np.ndarray:
        """Convert points, (P, 2), from the strokes' unit to pixels of the sheet."""
        return (points - self.low) * self.scale + self.margin


@dataclass(frozen=True, eq=False)
class Drawing:
    """Parsed strokes, with their position and scale on the sheet that they are rendered on."""

    points: list[np.ndarray]  # of each stroke that is drawn: x, y and width, (P, 3) float64
    sheet: Sheet
    taps: list[np.ndarray]  # the same of stray taps, which are left out
    order: np.ndarray  # int: the index of each stroke in `points` among those that are not empty

    @classmethod
    def of(
        cls, strokes: Strokes, *, pen_width: float = PEN_WIDTH, limits: Limits | None = None
    ) -> Self:
        """Parse strokes and lay them out, without stray taps.

        Omit `limits` for strokes that were checked before.

        Raises:
            DrawingError: the strokes have another form, are not finite, or exceed the limits.
        """
        every = parse(strokes, limits=limits)
        stray = _stray_taps(every)
        points = [p for p, tap in zip(every, stray, strict=True) if not tap]
        taps = [p for p, tap in zip(every, stray, strict=True) if tap]
        sheet = lay_out(points, pen_width=pen_width)
        return cls(points, sheet, taps, np.flatnonzero(~stray))

    def render(self) -> np.ndarray:
        """Render the strokes as `draw` does: (H, W) float32, with ink 1 and paper 0."""
        height, width = self.sheet.height, self.sheet.width
        if not self.points:
            return np.zeros((height, width), np.float32)
        return _draw(lines_of(self.points, self.sheet), height=height, width=width)


class Lines(NamedTuple):
    """Straight lines drawn with a round pen, in pixels. A dot has equal start and end."""

    starts: np.ndarray  # (N, 2) float64
    ends: np.ndarray  # (N, 2) float64
    radii: np.ndarray  # (N,) float64
    strokes: np.ndarray  # (N,) int: the index of each line's stroke

    def take(self, which: np.ndarray | slice) -> "Lines":
        """Return the lines of an index, a mask or a slice."""
        return Lines(*(array[which] for array in self))


def draw(strokes: Strokes, *, pen_width: float = PEN_WIDTH, limits: Limits = LIMITS) -> np.ndarray:
    """Render strokes at a standard size: (H, W) float32, with ink 1 and paper 0.

    `strokes` is `[[[x, y], ...], ...]`: a list of points for each time the pen was down, in any
    unit, y down. A point may have a third number: the stroke width there, where 1 is the usual
    width. `pen_width` is relative to the drawing's longer side. The longer side of the ink is 80
    px. A stroke of one point is a dot; without strokes, the sheet is empty. A tap far from the
    other strokes is left out, so that it does not shrink them.

    Quick, Draw! lists coordinates instead, `[[[x0, x1, ...], [y0, y1, ...]], ...]`. Convert its
    strokes: `[list(zip(x, y)) for x, y, *_ in strokes]`. A drawing with a stroke of four or more
    points in that format is rejected. Strokes of two points cannot be distinguished and are read as
    points. In strokes of three points, the third number is taken as a stroke width; it is rejected
    unless it is in the range of widths.

    A drawing of more than 4,000 segments of 4 px is simplified to one segment per cell of a grid,
    so that time and memory depend on the area that it covers. The side of a cell is 0.5 px, or 1/32
    of the largest stroke width if that is larger.

    Raises:
        DrawingError: the strokes have another form, are not finite, or exceed the limits.
    """
    return Drawing.of(strokes, pen_width=pen_width, limits=limits).render()


def _stray_taps(points: Sequence[np.ndarray]) -> np.ndarray:
    """Return which strokes are taps far from all others: (S,) bool."""
    if len(points) < 2:
        return np.zeros(len(points), bool)
    low = np.array([p[:, :2].min(axis=0) for p in points])
    high = np.array([p[:, :2].max(axis=0) for p in points])
    sizes = (high - low).max(axis=1)
    large = sizes > TAP_SIZE * sizes.max()
    if not large.any():  # dots
        return large
    first, last = low[large].min(axis=0), high[large].max(axis=0)
    long_side = (last - first).max()
    gaps = np.maximum(np.maximum(first - high, low - last), 0).sum(axis=1)
    return (sizes <= TAP_SIZE * long_side) & (gaps > TAP_GAP * long_side)


def lay_out(points: Sequence[np.ndarray], *, pen_width: float = PEN_WIDTH) -> Sheet:
    """Compute the position and scale of parsed strokes, each (P, 3), on the sheet of `draw`."""
    if not points:
        side = LONG_SIDE + 2 * MARGIN
        return Sheet(np.zeros(2), 0.0, side / 2, 0.0, side, side)
    every = np.concatenate(points)
    low = every[:, :2].min(axis=0)
    extent = every[:, :2].max(axis=0) - low  # (2,)
    long_side = float(extent.max()) if extent.max() >= _DOT_SIZE else 0.0
    widest = float(every[:, 2].max())
    relative = pen_width * widest
    pen = LONG_SIDE * (relative / (1 + relative) if long_side else 1.0)
    scale = (LONG_SIDE - pen) / long_side if long_side else 0.0
    margin = MARGIN + pen / 2
    width, height = np.ceil(extent * scale + 2 * margin - _DOT_SIZE).astype(int)  # 84.0…01 is 84
    return Sheet(low, scale, margin, pen / widest, int(height), int(width))


def lines_of(points: Sequence[np.ndarray], sheet: Sheet) -> Lines:
    """Return the lines that `draw` renders for parsed strokes; there must be at least one."""
    starts, ends, strokes = _connect(points)
    widths = np.round((starts[:, 2] + ends[:, 2]) / 2 * _WIDTH_STEPS) / _WIDTH_STEPS
    places = (sheet.place(each[:, :2]) for each in (starts, ends))
    return Lines(*places, widths * sheet.pen_width / 2, strokes)


def rasterize(
    strokes: Sequence[np.ndarray], *, pen_width: float, height: int, width: int
) -> np.ndarray:
    """Render strokes, each (P, 2) in pixels, with a round pen: (height, width) float32 in 0..1.

    The ink of a pixel depends on its distance to the edge of the pen. Lines are therefore
    antialiased at any angle, and the result does not depend on how a line is divided into points.
    Ink outside the sheet is cut off. Many lines are simplified as in `draw`.
    """
    starts, ends, which = _connect(strokes)
    radii = np.full(len(starts), pen_width / 2)
    return _draw(Lines(starts, ends, radii, which), height=height, width=width)


def parse(strokes: Strokes, *, limits: Limits | None = None) -> list[np.ndarray]:
    """Return the strokes as float64 arrays of x, y and width, (P, 3), without empty strokes.

    Omit `limits` for strokes that were checked before.

    Raises:
        DrawingError: the strokes have another form, are not finite, or exceed the limits.
    """
    if isinstance(strokes, str | bytes | dict) or not hasattr(strokes, "__iter__"):
        raise DrawingError(f"Got {type(strokes).__name__}; {_EXPECTED}.")
    strokes = list(strokes)
    if limits:  # checked first, because converting too many strokes would take long
        _check_counts(strokes, limits)
    points = _arrays(strokes)
    if not points:
        return []
    stops = np.cumsum([len(p) for p in points])
    every = np.ones((stops[-1], 3))
    for p, stop in zip(points, stops, strict=True):
        every[stop - len(p) : stop, : p.shape[1]] = p
    _check_values(every, points)
    if limits:
        _check_length(every[:, :2], stops, limits)
    return np.split(every, stops[:-1])


_EXPECTED = "strokes are [[[x, y], ...], ...], a list of points for each time the pen was down"
_CONVERT = (
    "convert Quick, Draw!'s [[x0, x1, ...], [y0, y1, ...]] by "
    "[list(zip(x, y)) for x, y, *_ in strokes]"
)


def _arrays(strokes: Strokes) -> list[np.ndarray]:
    """Return the non-empty strokes as float64 arrays, each (P, 2) or (P, 3).

    Raises:
        DrawingError: a stroke has another form.
    """
    try:
        arrays = [np.asarray(stroke) for stroke in strokes]
        points = [array.astype(np.float64, copy=False) for array in arrays if array.size]
    except (TypeError, ValueError, OverflowError) as error:
        raise DrawingError(f"A point is not two numbers; {_EXPECTED}.") from error
    if any(array.dtype.kind in "bSU" for array in arrays):  # strings and booleans are not numbers
        raise DrawingError(f"A point is not two numbers; {_EXPECTED}.")
    for p in points:
        if p.ndim != 2 or p.shape[1] not in (2, 3):
            by_axis = p.ndim == 2 and len(p) in (2, 3) and p.shape[1] > 3
            hint = f"; {_CONVERT}" if by_axis else ""
            raise DrawingError(f"Got a stroke of shape {p.shape}; {_EXPECTED}{hint}.")
    return points


def _check_counts(strokes: Strokes, limits: Limits) -> None:
    if len(strokes) > limits.max_strokes:
        raise DrawingError(f"Got {len(strokes)} strokes; at most {limits.max_strokes} are read.")
    n_points = sum(len(stroke) for stroke in strokes if hasattr(stroke, "__len__"))
    if n_points > limits.max_points:
        raise DrawingError(f"Got {n_points} points; at most {limits.max_points} are read.")


def _check_values(every: np.ndarray, points: Sequence[np.ndarray]) -> None:
    """Reject coordinates and widths out of range, (P, 3), of all strokes."""
    if not (np.abs(every) < 1e9).all():  # NaN compares false, too
        raise DrawingError("A coordinate is not a finite number below 1e9.")
    low, high = WIDTHS
    wrong = every[(every[:, 2] < low) | (every[:, 2] > high), 2]
    if wrong.size:
        by_axis = any(p.shape in ((2, 3), (3, 3)) for p in points)
        hint = f"; {_CONVERT}" if by_axis else ""
        raise DrawingError(
            f"Got {wrong[0]:g} as a point's third number, which is the stroke width there, "
            f"{low} to {high:g}, and not a time{hint}."
        )


def _check_length(points: np.ndarray, stops: np.ndarray, limits: Limits) -> None:
    """Reject strokes that are too long: all their points, (P, 2), and where each stroke stops."""
    long_side = float(np.ptp(points, axis=0).max())
    steps = np.hypot(*np.diff(points, axis=0).T)
    steps[stops[:-1] - 1] = 0  # the pen is up between strokes
    length = float(steps.sum())
    if long_side >= _DOT_SIZE and length > limits.max_length * long_side:
        times = np.ceil(length / long_side)
        raise DrawingError(
            f"The strokes together are {times:,.0f} times as long as the drawing's longer side; "
            f"at most {limits.max_length:,} times are read."
        )


def _connect(points: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the start and end points of all lines, (N, columns) each, and their strokes, (N,).

    A point that repeats the one before is dropped: a pen at rest sends many of them.
    """
    every = np.concatenate(points)
    lengths = np.array([len(p) for p in points])
    stroke = np.repeat(np.arange(len(points)), lengths)
    moves = np.zeros(len(every), bool)
    moves[:-1] = (stroke[1:] == stroke[:-1]) & (every[1:] != every[:-1]).any(axis=1)
    n_lines = np.bincount(stroke, weights=moves)
    first = np.cumsum(lengths) - lengths
    from_here = moves.copy()
    from_here[first[n_lines == 0]] = True  # a dot
    starts = np.flatnonzero(from_here)
    return every[starts], every[starts + moves[starts]], stroke[starts]


def simplify(lines: Lines, *, cell: float = _CELL) -> Lines:
    """Keep one short piece, of the widest pen, in each square cell that the lines cross.

    The number of pieces then depends on the area that the lines cover. `cell` is the side of a cell
    in pixels; for wide pens and very long lines, cells are larger.
    """
    reach = float(np.abs(lines.ends - lines.starts).max(axis=1).sum())
    cell = max(cell, 2 * float(lines.radii.max()) / _CELLS_PER_PEN, reach / _MAX_SAMPLES)
    low = np.minimum(lines.starts, lines.ends).min(axis=0)
    high = np.maximum(lines.starts, lines.ends).max(axis=0)
    columns, rows = ((high - low) / cell).astype(int) + 1
    kept = np.full((columns * rows, 6), -1.0)
    lines = lines.take(
        np.argsort(lines.radii, kind="stable")
    )  # of several pieces in a cell, the last is kept
    counts = _counts(lines, cell)
    stops = np.searchsorted(np.cumsum(counts), np.arange(_CHUNK, counts.sum(), _CHUNK))
    for some in np.split(np.arange(len(counts)), stops):
        pieces = _cut(lines.take(some), counts[some])
        column, row = (((pieces.starts + pieces.ends) / 2 - low) / cell).astype(int).T
        kept[row * columns + column] = np.column_stack(pieces)
    kept = kept[kept[:, -1] >= 0]
    return Lines(kept[:, :2], kept[:, 2:4], kept[:, 4], kept[:, 5].astype(int))


def _draw(lines: Lines, *, height: int, width: int) -> np.ndarray:
    """Render lines on a sheet: (height, width) float32 in 0..1."""
    counts = _counts(lines, _PIECE)
    few = counts.sum() <= _MAX_PIECES
    pieces = _cut(lines, counts) if few else simplify(lines)
    reach = _PIECE if few else float(np.abs(pieces.ends - pieces.starts).max())
    side = int(np.ceil(reach + 2 * pieces.radii.max())) + 2
    sheet = np.zeros((height + 2 * side, width + 2 * side), np.float32)
    chunk = max(1, _CHUNK // side**2)
    for i in range(0, len(pieces.radii), chunk):
        starts, ends, radii, _ = pieces.take(slice(i, i + chunk))
        _stamp(sheet, starts + side, ends + side, radii, side)
    return np.minimum(sheet[side : side + height, side : side + width], np.float32(1))


def _counts(lines: Lines, longest: float) -> np.ndarray:
    """Return the number of pieces of at most `longest` pixels that each line is cut into, (N,)."""
    reach = np.abs(lines.ends - lines.starts).max(axis=1)
    return np.maximum(np.ceil(reach / longest), 1).astype(int)


def _cut(lines: Lines, counts: np.ndarray) -> Lines:
    """Cut each line into `counts` pieces of equal length."""
    which = np.repeat(np.arange(len(counts)), counts)
    nth = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    step = ((lines.ends - lines.starts) / counts[:, None])[which]
    starts = lines.starts[which] + step * nth[:, None]
    return Lines(starts, starts + step, lines.radii[which], lines.strokes[which])


def _stamp(
    sheet: np.ndarray, starts: np.ndarray, ends: np.ndarray, radii: np.ndarray, side: int
) -> None:
    """Draw each piece on the sheet, within a square of `side` pixels around it."""
    corners = np.floor(np.minimum(starts, ends) - radii[:, None] - 0.5).astype(int)  # (N, 2)
    height, width = sheet.shape
    corners = np.minimum(np.maximum(corners, 0), (width - side, height - side))
    pixels = np.arange(side)[:, None]
    # The pieces are the last axis, as NumPy's inner loop runs along it and `side` is small.
    start, (ax, ay) = (starts - corners).astype(np.float32).T, (ends - starts).astype(np.float32).T
    x, y = ((pixels + 0.5 - each).astype(np.float32) for each in start)  # (side, N) each
    length2 = np.maximum(ax * ax + ay * ay, 1e-12)
    t = (x * (ax / length2)) + (y * (ay / length2))[:, None]  # (side, side, N)
    np.clip(t, 0.0, 1.0, out=t)
    dx, dy = x - t * ax, y[:, None] - t * ay
    distance = np.sqrt(dx * dx + dy * dy)
    covered = np.float32(radii + 0.5) - distance
    np.minimum(covered, np.float32(2 * radii), out=covered)  # a hairline never covers a whole pixel
    index = (pixels * width + pixels.T)[:, :, None] + (corners[:, 1] * width + corners[:, 0])
    np.maximum.at(sheet.reshape(-1), index.reshape(-1), covered.reshape(-1))
