"""Outliers for training: drawings that are not digits, such as letters, signs, scribbles and noise.

Most are varied and rendered as the synthetic digits are.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from model.mlp import N_CLASSES, N_PIXELS, SIZE
from model.preprocess import preprocess
from training.data import Split
from training.synthetic.digits import sample_digit
from training.synthetic.images import render, to_uint8
from training.synthetic.pool import N_PER_JOB, load_pool
from training.synthetic.real_strokes import load_character_strokes
from training.synthetic.skeletons import DIGITS, LETTERS, SIGNS, Skeleton, parse_skeleton
from training.synthetic.strokes import Polylines, sample_strokes, vary_strokes

NOT_A_DIGIT = N_CLASSES  # the label

# Digits that are no digit when they are rotated by 90 degrees, or mirrored.
ROTATED = (2, 3, 4, 5, 6, 7, 8, 9)
MIRRORED = (3, 4, 6, 7, 9)

# The strokes of an invented character, turned by a multiple of 90 degrees and mirrored or not: a
# line (twice as often), a slanted line, a corner, a bow and a hook. Others may meet at any point.
INVENTED_STROKES = (
    [(0, 0), (0.5, 0), (1, 0)],
    [(0, 0), (0.5, 0), (1, 0)],
    [(0, 0), (0.3, 0.5), (0.6, 1)],
    [(0, 0), (0.7, 0), (0.7, 0.7)],
    [(0, 0), (0.35, 0.25), (0.7, 0)],
    [(0, 0), (0, 0.7), (0.3, 0.8), (0.5, 0.6)],
)
ORIENTATIONS = [
    np.array(turn, float) @ np.diag([1, mirror])
    for turn in ([[1, 0], [0, 1]], [[0, 1], [-1, 0]], [[-1, 0], [0, -1]], [[0, -1], [1, 0]])
    for mirror in (1, -1)
]


def _letter(rng: np.random.Generator) -> Polylines:
    """A letter, with or without serifs."""
    skeleton = parse_skeleton(rng.choice(LETTERS))
    if rng.random() < 0.2:
        skeleton = skeleton + _serifs(skeleton, rng)
    return sample_strokes(skeleton, rng)


def _character(rng: np.random.Generator) -> Polylines:
    """A character of another script that a person wrote."""
    drawings = load_character_strokes().drawings
    return vary_strokes(drawings[rng.integers(len(drawings))], rng)


def _serifs(skeleton: Skeleton, rng: np.random.Generator) -> Skeleton:
    """Return short horizontal lines across the upper and lower ends of strokes."""
    ends = [end for stroke in skeleton for end in (stroke[0][0], stroke[-1][-1])]
    half = np.array([rng.uniform(0.06, 0.16), 0.0])
    return [[np.stack([end - half, end + half])] for end in ends if abs(end[1] - 0.5) > 0.4]


def _sign(rng: np.random.Generator) -> Polylines:
    """A sign or a shape, such as an arrow or a star."""
    return sample_strokes(parse_skeleton(rng.choice(SIGNS)), rng)


def _scribble(rng: np.random.Generator) -> Polylines:
    """Smooth curves through random points."""
    stretch = np.exp(rng.normal(0, 0.4, 2))
    return sample_strokes(
        [
            [rng.random((rng.integers(6, 25), 2)) * stretch + rng.normal(0, 0.2, 2)]
            for _ in range(rng.integers(1, 4))
        ],
        rng,
    )


def _wander(rng: np.random.Generator) -> Polylines:
    """A line whose direction changes at random."""
    n = rng.integers(40, 250)
    turning = np.convolve(rng.normal(0, 1, n), np.ones(rng.integers(1, 12)), "same")
    turning *= rng.uniform(0.1, 0.5) / turning.std()
    if np.abs(turning).sum() < 3 * np.pi:  # a line that turns so little may look like a digit
        return _wander(rng)
    heading = np.cumsum(turning) + rng.uniform(0, 2 * np.pi)
    speed = np.exp(rng.normal(0, 0.3, n))
    return [np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1) * speed[:, None], axis=0)]


def _hatching(rng: np.random.Generator) -> Polylines:
    """A zigzag, as people fill an area or strike something out."""
    n = rng.integers(6, 30)
    x = np.linspace(0, rng.uniform(0.2, 1.5), n) + rng.normal(0, 0.03, n)
    y = np.where(np.arange(n) % 2, rng.uniform(0.3, 1), 0.0) + rng.normal(0, 0.06, n)
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return sample_strokes([[np.stack([x, y], 1) @ turn]], rng)


def _segments(rng: np.random.Generator) -> Polylines:
    """Straight lines between the points of a grid."""
    n = rng.integers(3, 5)
    ends = rng.integers(0, n, (rng.integers(4, 9), 2, 2)) / (n - 1)
    ends = ends[(ends[:, 0] != ends[:, 1]).any(axis=1)]
    return sample_strokes([[pair] for pair in ends], rng) if len(ends) > 3 else _segments(rng)


def _invented(rng: np.random.Generator) -> Polylines:
    """A character that no script has: lines, corners and bows that touch or cross each other."""
    skeleton: Skeleton = []
    for _ in range(rng.integers(3, 6)):
        shape = (
            np.array(INVENTED_STROKES[rng.integers(len(INVENTED_STROKES))], float)
            @ ORIENTATIONS[rng.integers(len(ORIENTATIONS))]
        )
        shape = shape * np.exp(rng.normal(-0.3, 0.4)) * np.exp(rng.normal(0, 0.2, 2))
        if skeleton:
            other = skeleton[rng.integers(len(skeleton))][0]
            i = rng.integers(len(other) - 1)
            meeting = other[i] + rng.choice([0.0, 0.5, 1.0]) * (other[i + 1] - other[i])
            shape = shape + meeting - shape[rng.integers(len(shape))]
        skeleton.append([shape + rng.normal(0, 0.03, 2)])
    width, height = np.ptp(np.concatenate([stroke[0] for stroke in skeleton]), axis=0)
    if width < 0.4 * height:  # as narrow as a 1
        return _invented(rng)
    return sample_strokes(skeleton, rng)


def _arcs(rng: np.random.Generator) -> Polylines:
    """Parts of ellipses in random places."""
    arcs = []
    for _ in range(rng.integers(3, 7)):
        start, span = rng.uniform(0, 2 * np.pi), rng.uniform(1.5, 6.28)
        t = np.linspace(start, start + span, 12)
        radii = rng.uniform(0.1, 0.5, 2)
        arcs.append(np.stack([np.cos(t), np.sin(t)], 1) * radii + rng.random(2))
    return arcs


def _dots(rng: np.random.Generator) -> Polylines:
    """One dot, or several in random places."""
    if rng.random() < 0.5:
        return [rng.normal(0, 1e-12, (rng.integers(1, 6), 2))]
    return [point[None] for point in rng.random((rng.integers(2, 9), 2))]


def _blob(rng: np.random.Generator) -> Polylines:
    """A thick dot: as wide as the stroke, or a little wider."""
    return [rng.normal(0, 1, (rng.integers(2, 12), 2)) * np.exp(rng.normal(0, 0.3, 2))]


def _dash(rng: np.random.Generator) -> Polylines:
    """A line that is almost horizontal, straight or slightly bent."""
    angle = rng.uniform(-0.6, 0.6)
    end = np.array([np.cos(angle), np.sin(angle)])
    bow = rng.normal(0, 0.12) * np.array([-end[1], end[0]])
    points = np.array([np.zeros(2), end / 2 + bow, end])
    return [points + rng.normal(0, 0.012, points.shape)]


def _several_digits(rng: np.random.Generator) -> Polylines:
    """Two or three digits, side by side or one above the other."""
    strokes, at = [], 0.0
    along = 0 if rng.random() < 0.85 else 1
    for digit in rng.integers(0, 10, rng.integers(2, 4)):
        written = sample_digit(int(digit), rng)
        every = np.concatenate(written)
        low, high = every.min(axis=0), every.max(axis=0)
        shift = -low
        shift[along] += at
        strokes += [points + shift for points in written]
        at += (high - low)[along] + rng.uniform(0.05, 0.4)
    return strokes


def _rotated_or_mirrored(rng: np.random.Generator) -> Polylines:
    """A digit, rotated by 90 degrees or mirrored."""
    if rng.random() < 0.6:
        written = sample_digit(int(rng.choice(ROTATED)), rng)
        sign = rng.choice([-1, 1])
        return [np.stack([sign * p[:, 1], -sign * p[:, 0]], 1) for p in written]
    written = sample_digit(int(rng.choice(MIRRORED)), rng)
    return [p * [-1, 1] for p in written]


def _marked(rng: np.random.Generator) -> Polylines:
    """A digit, circled or crossed out."""
    written = sample_digit(int(rng.integers(10)), rng)
    every = np.concatenate(written)
    low, high = every.min(axis=0), every.max(axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 0.3)
    if rng.random() < 0.5:
        t = np.linspace(0, 2 * np.pi, 24) + rng.uniform(0, 6)
        return [*written, middle + np.stack([np.cos(t), np.sin(t)], 1) * half * 1.6]
    corners = np.array([[-1, -1], [1, 1], [1, -1], [-1, 1]]) * half * rng.uniform(0.9, 1.3)
    corners = corners + middle + rng.normal(0, 0.05, (4, 2))
    return [*written, corners[:2], corners[2:]]


def _recombined(rng: np.random.Generator) -> Polylines:
    """Strokes of several letters and digits, rotated or mirrored, on top of each other."""
    strokes = []
    for _ in range(rng.integers(2, 5)):
        texts = LETTERS if rng.random() < 0.6 else DIGITS[int(rng.integers(10))]
        written = sample_strokes(parse_skeleton(rng.choice(texts)), rng)
        stroke = written[rng.integers(len(written))]
        flip = np.diag(rng.choice([-1, 1], 2))
        turn = flip if rng.random() < 0.7 else flip[::-1]
        strokes.append((stroke - stroke.mean(axis=0)) @ turn + rng.normal(0, 0.25, 2))
    return strokes


def _noise(rng: np.random.Generator) -> np.ndarray | None:
    """An empty canvas with noise: grain, specks or stains. (28, 28) uint8, or None if blank."""
    side = int(rng.integers(SIZE, 120))
    kind = rng.integers(4)
    if kind == 0:
        sheet = rng.normal(0.5, rng.uniform(0.02, 0.3), (side, side))
    elif kind == 1:
        sheet = (rng.random((side, side)) < rng.uniform(0.002, 0.2)).astype(float)
    elif kind == 2:
        small = rng.random((rng.integers(3, 12),) * 2)
        sheet = np.kron(small, np.ones((12, 12)))
    else:
        sheet = (rng.random((rng.integers(4, 14),) * 2) < rng.uniform(0.2, 0.7)).astype(float)
        sheet = np.kron(sheet, np.ones((8, 8)))
    return to_uint8(preprocess(np.clip(sheet, 0, 1).astype(np.float32)))


FINE, ANY, BLOB = (0.02, 0.09), (0.02, 0.17), (0.6, 7.0)  # relative to the drawing's long side

# Each kind with its weight, and the smallest and the largest stroke width. With a wider stroke, the
# inside of a sign would fill up, and the sign could look like a digit.
KINDS: tuple[tuple[Callable[[np.random.Generator], Polylines], float, tuple[float, float]], ...] = (
    (_letter, 0.32, ANY), (_character, 0.26, ANY), (_invented, 0.18, FINE), (_sign, 0.14, ANY),
    (_recombined, 0.08, ANY), (_scribble, 0.18, ANY), (_wander, 0.12, ANY),
    (_hatching, 0.03, ANY), (_segments, 0.05, ANY), (_arcs, 0.04, ANY),
    (_dots, 0.04, ANY), (_blob, 0.02, BLOB), (_dash, 0.03, ANY), (_several_digits, 0.04, FINE),
    (_rotated_or_mirrored, 0.03, ANY), (_marked, 0.02, FINE),
)  # fmt: skip
NOISE_SHARE = 0.02


def draw_outliers(seed: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Draw N_PER_JOB outliers from one seed: images (N, 784) uint8, labels all NOT_A_DIGIT."""
    rng = np.random.default_rng((*seed, NOT_A_DIGIT))
    shares = np.array([share for _, share, _ in KINDS])
    images = np.empty((N_PER_JOB, N_PIXELS), np.uint8)
    for i in range(N_PER_JOB):
        image = None
        while image is None:
            if rng.random() < NOISE_SHARE:
                image = _noise(rng)
                continue
            kind, _, stroke_widths = KINDS[rng.choice(len(KINDS), p=shares / shares.sum())]
            image = render(kind(rng), rng, stroke_widths=stroke_widths)
        images[i] = image.reshape(-1)
    return images, np.full(N_PER_JOB, NOT_A_DIGIT)


def load_outliers(n: int, *, seed: int, cache: Path) -> Split:
    """Return n outliers from the cache folder, or draw and cache them."""
    return load_pool(draw_outliers, "outliers", n, seed=seed, cache=cache)
