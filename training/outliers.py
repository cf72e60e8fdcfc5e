"""What people draw that is no digit: letters, signs, scribbles, dots, dashes, noise.

Written and drawn as training/pens.py does digits. Letters that look like a digit (B, D, G, I, O,
Q, S, Z, b, g, l, o, q, y, z and their like) are left out: they are nobody's mistake.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from model.mlp import N_CLASSES, N_PIXELS, SIZE
from model.preprocess import preprocess
from training.data import Split
from training.pens import DIGITS, N_PER_JOB, Skeleton, as_uint8, cached, parse, picture, write

NOT_A_DIGIT = N_CLASSES  # the label

LETTERS = (
    # A
    "0,100 40,0 / 80,100 + 16,62 64,62",
    "0,100 40,0 + 40,0 80,100 + 12,66 68,60",
    "4,100 10,30 40,0 70,30 76,100 + 6,58 74,58",
    # C
    "78,16 46,0 8,40 16,86 50,100 80,84",
    "70,8 30,4 6,50 30,96 74,92",
    # E
    "74,2 10,2 / 10,100 / 76,100 + 10,48 62,48",
    "70,0 12,0 + 12,0 12,100 + 12,50 66,50 + 12,100 72,100",
    "70,10 34,0 14,22 44,46 / 10,70 34,100 76,88",
    # F
    "76,2 10,2 / 10,100 + 10,46 62,46",
    "10,0 10,100 + 10,0 74,0 + 10,44 60,44",
    # H
    "8,0 8,100 + 72,0 72,100 + 8,50 72,50",
    "14,0 10,100 + 70,2 68,100 + 12,46 70,54",
    # J
    "20,0 76,0 + 52,0 52,76 30,100 4,80",
    "56,0 56,74 36,100 6,78",
    # K
    "10,0 10,100 + 70,0 12,56 / 74,100",
    "10,0 10,100 + 72,2 10,52 + 26,40 76,100",
    # L
    "10,0 10,100 / 74,100",
    "16,0 10,98 / 66,96",
    # M
    "0,100 10,0 / 46,66 / 84,0 / 94,100",
    "4,100 4,0 / 46,60 / 88,0 / 88,100",
    "0,100 18,10 / 40,40 46,100 / 66,12 90,30 92,100",
    # N
    "4,100 4,0 / 72,100 / 72,0",
    "8,100 12,2 / 66,98 / 76,0",
    # P
    "10,100 10,0 / 56,2 68,28 50,50 10,52",
    "12,0 12,100 + 10,4 60,4 66,40 12,50",
    # R
    "10,100 10,0 / 58,2 66,28 46,48 10,50 / 72,100",
    "12,0 12,100 + 12,2 60,6 60,42 12,50 + 30,50 70,100",
    # T
    "0,2 88,2 + 44,2 44,100",
    "2,6 84,0 + 42,4 46,100",
    # U
    "4,0 6,70 40,100 72,70 74,0",
    "8,0 8,76 36,100 66,76 68,0 / 70,100",
    # V
    "0,0 40,100 / 80,0",
    "2,4 34,100 / 72,0 88,4",
    # W
    "0,0 22,100 / 46,30 / 70,100 / 94,0",
    "0,2 14,88 40,88 48,20 / 56,90 82,88 94,0",
    # X
    "4,0 76,100 + 76,0 4,100",
    "8,4 72,96 + 70,0 2,100",
    # Y, with both arms high: the y-shaped 4 has its fork in the middle
    "2,0 40,44 / 78,0 + 40,44 40,100",
    "0,0 38,36 + 78,2 38,36 36,100",
    # Capital Greek and Cyrillic
    "10,100 10,2 / 72,2",
    "4,100 4,2 / 74,2 / 74,100",
    "0,100 40,0 / 80,100 / 0,100",
    "6,100 6,0 / 6,50 44,50 + 44,50 50,12 80,0 96,50 80,100 50,88 44,50",
    "0,0 40,50 / 0,100 + 0,0 80,0 + 0,100 80,100",
    # a
    "70,34 36,20 6,56 30,96 70,70 / 72,24 / 76,84 92,96",
    "16,20 56,8 68,36 / 68,100 + 68,50 26,48 8,76 34,98 68,76",
    # c
    "76,18 40,0 6,44 30,96 78,82",
    # d
    "66,52 34,38 8,66 28,98 66,76 + 68,0 68,100",
    "68,60 38,40 6,70 32,100 68,76 / 70,0 / 72,92 84,98",
    # e
    "10,50 78,44 56,2 14,20 10,70 46,100 82,84",
    "6,56 60,54 76,24 40,0 8,40 26,94 80,86",
    "0,80 50,50 60,12 34,10 18,60 44,100 90,70",
    # f
    "70,6 48,0 34,26 34,100 + 8,42 62,42",
    "66,10 46,2 36,30 34,100 + 10,40 66,38",
    # h
    "8,0 8,100 / 10,56 42,40 62,60 62,100",
    "10,0 12,100 + 12,62 44,44 60,64 62,100",
    # k
    "10,0 10,100 + 58,36 10,70 / 62,100",
    "12,0 10,100 / 12,64 50,40 46,62 14,68 / 64,100",
    # m
    "0,30 4,100 / 6,50 22,28 38,50 38,100 / 40,50 60,28 80,50 80,100",
    "0,36 2,100 + 2,50 24,30 40,56 40,100 + 40,52 64,30 80,60 82,100",
    # n
    "0,0 4,100 / 8,36 44,2 78,36 78,100",
    "4,2 6,100 + 6,40 42,4 74,34 76,100",
    # p
    "10,10 10,100 + 10,20 50,8 66,34 44,60 10,50",
    "8,0 14,100 / 10,16 56,6 64,40 12,54",
    # r
    "6,0 8,100 / 10,40 34,6 72,8",
    "0,10 10,0 12,100 / 14,34 44,4 68,12",
    # t
    "34,0 34,74 54,98 76,84 + 6,30 70,28",
    "40,0 40,100 + 6,32 74,32",
    "30,0 32,80 52,100 70,90 + 0,26 66,22",
    # u
    "2,0 4,64 34,100 70,60 / 72,0 / 74,82 90,98",
    "0,4 4,80 50,92 74,2 / 76,100",
    # joined hand
    "0,20 20,4 60,8 92,0 + 54,8 48,70 32,96 10,92 2,78",
    "0,24 18,4 56,10 90,2 + 56,8 48,72 30,98 6,88 + 30,52 68,48",
    "6,62 40,42 62,12 48,0 36,22 34,80 26,100 20,86 34,66 62,54",
    "0,70 34,46 54,8 42,0 34,24 34,100 + 14,52 62,48",
    "0,92 24,18 28,36 56,34 50,80 64,96 84,80",
    "0,96 20,20 30,34 60,26 56,92 76,94",
    "0,60 12,10 14,80 34,96 56,70 62,10 / 62,84 74,96 92,70",
    "0,30 14,6 22,60 38,96 62,60 66,10 90,14",
    "76,14 46,0 24,18 50,44 16,62 20,94 56,98 84,76",
    "80,10 52,0 30,22 54,42 20,60 10,88 44,100 78,86",
    "0,70 40,50 52,24 34,20 22,60 44,98 86,76",
    "0,84 30,50 44,6 34,0 26,26 24,100 / 26,60 46,44 54,64 58,98 78,84",
    "0,60 14,28 14,100 / 16,56 34,30 40,56 40,100 / 42,56 62,30 70,60 72,96 92,84",
    "0,50 16,26 18,100 / 22,54 48,26 60,56 62,94 84,84",
    "4,40 20,8 30,0 24,60 22,100 + 24,14 58,0 72,26 46,46 26,48 / 58,80 84,96",
    "0,100 30,30 52,0 54,60 58,100 + 18,66 72,58",
    "6,10 14,0 12,60 14,100 + 74,0 66,60 70,96 84,90 + 12,54 70,46",
    "4,80 20,20 26,60 28,100 / 60,0 60,60 74,100",
    "0,20 12,0 20,30 16,80 34,100 58,70 62,4 / 58,84 78,96",
    # E, T, F, e, f in script
    "70,10 46,0 30,14 40,40 58,42 30,48 10,72 24,96 56,98 78,82",
    "66,16 40,2 22,20 36,44 52,46 24,52 8,80 34,100 72,86",
    "84,8 60,0 40,8 34,26 54,44 26,54 6,80 26,100 64,94 86,70",
    "6,16 24,2 50,8 90,4 + 62,8 60,60 44,94 18,96 6,80",
    "0,26 14,6 40,6 66,12 96,2 + 58,12 56,70 36,98 12,94 4,82 20,76",
    "4,30 2,12 20,2 60,10 94,4 + 52,10 50,100",
    "88,0 60,10 20,2 4,20 16,28 + 54,8 50,66 34,96 8,88",
    "6,16 24,2 50,8 90,4 + 62,8 60,60 44,94 18,96 6,80 + 38,48 74,46",
    "4,30 2,12 20,2 60,10 94,4 + 52,10 50,100 + 30,52 72,50",
    "0,80 44,62 62,36 48,16 24,34 22,72 48,96 90,76",
    "4,66 50,54 60,28 40,8 18,36 20,80 50,100 84,84",
    "0,58 40,36 56,8 42,0 32,24 30,90 34,100 46,90 44,66 32,60 60,52",
    "10,54 40,36 62,10 50,0 38,16 32,100 + 16,46 60,44",
    # v, w, x in script
    "0,16 12,4 22,20 32,98 56,60 66,8 78,18 94,10",
    "0,30 14,8 30,96 62,10 84,16",
    "0,12 14,2 34,100 / 70,6 88,14",
    "0,10 14,4 16,90 44,88 50,20 / 54,94 84,80 90,0",
    "0,4 24,10 60,96 84,92 + 80,2 10,98",
)

SIGNS = (
    # crosses, ticks, arrows
    "50,0 50,100 + 0,50 100,50",
    "0,0 100,100 + 100,0 0,100",
    "0,60 30,100 / 100,0",
    "0,50 28,80 / 72,0",
    "0,50 100,50 / 70,20 + 100,50 70,80",
    "100,50 0,50 + 30,20 0,50 / 30,80",
    "50,100 50,0 / 20,30 + 50,0 80,30",
    "50,0 50,100 / 20,70 + 50,100 80,70",
    "0,0 100,100 / 60,96 + 100,100 98,60",
    "100,0 0,100 + 44,96 0,100 / 4,56",
    # stars, hashes, asterisks, brackets
    "50,0 80,100 / 0,38 / 100,38 / 20,100 / 50,0",
    "30,0 24,100 + 70,0 64,100 + 0,34 96,30 + 0,70 94,66",
    "50,0 50,100 + 6,24 94,76 + 94,24 6,76",
    "50,0 50,100 + 0,50 100,50 + 15,15 85,85 + 85,15 15,85",
    "60,0 20,0 / 20,100 / 60,100",
    # percent, at
    "100,0 0,100 + 22,4 4,22 22,40 40,22 22,4 + 78,60 60,78 78,96 96,78 78,60",
    "68,40 44,30 34,56 56,70 68,36 72,66 96,56 80,4 20,6 0,60 40,100 86,88",
    # shapes
    "50,0 100,90 / 0,90 / 50,0",
    "0,10 50,100 / 100,10 / 0,10",
    "50,28 22,0 0,30 50,100 / 100,30 78,0 50,28",
    "50,48 66,50 50,68 28,50 50,20 86,50 50,90 4,50 46,0 100,20",
    "50,50 38,44 50,34 66,50 50,72 22,50 50,12 94,40 80,96",
    "0,50 25,20 50,50 75,80 100,50",
    "0,50 20,10 40,50 60,90 80,50 100,10",
    "0,100 20,0 / 40,100 / 60,0 / 80,100 / 100,0",
    "0,30 30,0 70,60 100,30 70,0 30,60 0,30",
    "0,50 26,26 50,50 74,74 100,50 74,26 50,50 26,74 0,50",
    "50,0 6,20 0,60 50,100 94,70 98,24 50,0 + 30,30 30,34 + 70,30 70,34 + 26,64 50,80 74,64",
    "50,0 0,50 50,100 100,50 50,0 + 50,26 26,50 50,74 74,50 50,26",
    "0,20 80,20 + 0,60 80,60",
    "0,0 80,0 + 0,40 80,40 + 0,80 80,80",
    "10,0 10,100 + 50,0 50,100",
    "0,0 0,100 + 40,0 40,100 + 80,0 80,100",
    "0,50 80,50 + 40,4 40,6 + 40,94 40,96",
    "0,0 0,100 / 100,100 / 100,0",
    "0,100 0,60 / 33,60 / 33,30 / 66,30 / 66,0 / 100,0",
)

# Turned by a quarter or mirrored, these are no digits (a 6 and a 9 turned by half are).
TURNED = (2, 3, 4, 5, 6, 7, 8, 9)
MIRRORED = (3, 4, 6, 7, 9)

Strokes = list[np.ndarray]


def _letter(rng: np.random.Generator) -> Strokes:
    skeleton = parse(rng.choice(LETTERS))
    if rng.random() < 0.2:
        skeleton = skeleton + _serifs(skeleton, rng)
    return write(skeleton, rng)


def _serifs(skeleton: Skeleton, rng: np.random.Generator) -> Skeleton:
    """Return short level lines across the strokes' upper and lower ends."""
    ends = [end for stroke in skeleton for end in (stroke[0][0], stroke[-1][-1])]
    half = np.array([rng.uniform(0.06, 0.16), 0.0])
    return [[np.stack([end - half, end + half])] for end in ends if abs(end[1] - 0.5) > 0.4]


def _sign(rng: np.random.Generator) -> Strokes:
    return write(parse(rng.choice(SIGNS)), rng)


def _scribble(rng: np.random.Generator) -> Strokes:
    """Smooth curves through random points."""
    stretch = np.exp(rng.normal(0, 0.4, 2))
    return write(
        [
            [rng.random((rng.integers(6, 25), 2)) * stretch + rng.normal(0, 0.2, 2)]
            for _ in range(rng.integers(1, 4))
        ],
        rng,
    )


def _wander(rng: np.random.Generator) -> Strokes:
    """A pen whose heading turns at random."""
    n = rng.integers(40, 250)
    turning = np.convolve(rng.normal(0, 1, n), np.ones(rng.integers(1, 12)), "same")
    turning *= rng.uniform(0.1, 0.5) / turning.std()
    if np.abs(turning).sum() < 3 * np.pi:  # so little may be a digit
        return _wander(rng)
    heading = np.cumsum(turning) + rng.uniform(0, 2 * np.pi)
    speed = np.exp(rng.normal(0, 0.3, n))
    return [np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1) * speed[:, None], axis=0)]


def _hatching(rng: np.random.Generator) -> Strokes:
    """Back and forth, as one fills an area or strikes something out."""
    n = rng.integers(6, 30)
    x = np.linspace(0, rng.uniform(0.2, 1.5), n) + rng.normal(0, 0.03, n)
    y = np.where(np.arange(n) % 2, rng.uniform(0.3, 1), 0.0) + rng.normal(0, 0.06, n)
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return write([[np.stack([x, y], 1) @ turn]], rng)


def _segments(rng: np.random.Generator) -> Strokes:
    """Straight lines between the points of a grid."""
    n = rng.integers(3, 5)
    ends = rng.integers(0, n, (rng.integers(4, 9), 2, 2)) / (n - 1)
    ends = ends[(ends[:, 0] != ends[:, 1]).any(axis=1)]
    return write([[pair] for pair in ends], rng) if len(ends) > 3 else _segments(rng)


def _arcs(rng: np.random.Generator) -> Strokes:
    """Parts of ellipses, here and there."""
    arcs = []
    for _ in range(rng.integers(3, 7)):
        start, span = rng.uniform(0, 2 * np.pi), rng.uniform(1.5, 6.28)
        t = np.linspace(start, start + span, 12)
        radii = rng.uniform(0.1, 0.5, 2)
        arcs.append(np.stack([np.cos(t), np.sin(t)], 1) * radii + rng.random(2))
    return arcs


def _dots(rng: np.random.Generator) -> Strokes:
    """Single points, or some apart from each other."""
    if rng.random() < 0.5:
        return [rng.normal(0, 1e-12, (rng.integers(1, 6), 2))]
    return [point[None] for point in rng.random((rng.integers(2, 9), 2))]


def _blob(rng: np.random.Generator) -> Strokes:
    """A dot that was pressed and rubbed: as wide as the pen, or a little more."""
    return [rng.normal(0, 1, (rng.integers(2, 12), 2)) * np.exp(rng.normal(0, 0.3, 2))]


def _dash(rng: np.random.Generator) -> Strokes:
    """A line that lies rather than stands, or a flat bow."""
    angle = rng.uniform(-0.6, 0.6)
    end = np.array([np.cos(angle), np.sin(angle)])
    bow = rng.normal(0, 0.12) * np.array([-end[1], end[0]])
    points = np.array([np.zeros(2), end / 2 + bow, end])
    return [points + rng.normal(0, 0.012, points.shape)]


def _several(rng: np.random.Generator) -> Strokes:
    """Two or three digits side by side, or one over the other."""
    strokes, at = [], 0.0
    along = 0 if rng.random() < 0.85 else 1
    for digit in rng.integers(0, 10, rng.integers(2, 4)):
        written = write(parse(rng.choice(DIGITS[int(digit)])), rng)
        every = np.concatenate(written)
        low, high = every.min(axis=0), every.max(axis=0)
        shift = -low
        shift[along] += at
        strokes += [points + shift for points in written]
        at += (high - low)[along] + rng.uniform(0.05, 0.4)
    return strokes


def _turned(rng: np.random.Generator) -> Strokes:
    """A digit that lies on its side, or in the mirror."""
    if rng.random() < 0.6:
        written = write(parse(rng.choice(DIGITS[int(rng.choice(TURNED))])), rng)
        sign = rng.choice([-1, 1])
        return [np.stack([sign * p[:, 1], -sign * p[:, 0]], 1) for p in written]
    written = write(parse(rng.choice(DIGITS[int(rng.choice(MIRRORED))])), rng)
    return [p * [-1, 1] for p in written]


def _struck(rng: np.random.Generator) -> Strokes:
    """A digit, circled or crossed out."""
    written = write(parse(rng.choice(DIGITS[int(rng.integers(10))])), rng)
    every = np.concatenate(written)
    low, high = every.min(axis=0), every.max(axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 0.3)
    if rng.random() < 0.5:
        t = np.linspace(0, 2 * np.pi, 24) + rng.uniform(0, 6)
        return [*written, middle + np.stack([np.cos(t), np.sin(t)], 1) * half * 1.6]
    corners = np.array([[-1, -1], [1, 1], [1, -1], [-1, 1]]) * half * rng.uniform(0.9, 1.3)
    corners = corners + middle + rng.normal(0, 0.05, (4, 2))
    return [*written, corners[:2], corners[2:]]


def _recombined(rng: np.random.Generator) -> Strokes:
    """Strokes of several letters and digits, turned or mirrored, in one place."""
    strokes = []
    for _ in range(rng.integers(2, 5)):
        texts = LETTERS if rng.random() < 0.6 else DIGITS[int(rng.integers(10))]
        text = rng.choice(texts)
        written = write(parse(text), rng)
        stroke = written[rng.integers(len(written))]
        flip = np.diag(rng.choice([-1, 1], 2))
        turn = flip if rng.random() < 0.7 else flip[::-1]
        strokes.append((stroke - stroke.mean(axis=0)) @ turn + rng.normal(0, 0.25, 2))
    return strokes


def _noise(rng: np.random.Generator) -> np.ndarray | None:
    """A canvas on which nothing is drawn, and which is not empty: grain, specks, stains."""
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
    framed = preprocess(np.clip(sheet, 0, 1).astype(np.float32))
    return as_uint8(framed)


FINE, ANY, BLOB = (0.02, 0.09), (0.02, 0.17), (0.6, 7.0)  # of the drawing's long side

# What is drawn, its share, and the pen's least and greatest width. With a thicker one the inside
# of a sign fills up, and it is as good as a digit.
KINDS: tuple[tuple[Callable[[np.random.Generator], Strokes], float, tuple[float, float]], ...] = (
    (_letter, 0.36, ANY), (_sign, 0.10, ANY), (_recombined, 0.08, ANY), (_scribble, 0.15, ANY),
    (_wander, 0.11, ANY), (_hatching, 0.03, ANY), (_segments, 0.04, ANY), (_arcs, 0.03, ANY),
    (_dots, 0.04, ANY), (_blob, 0.02, BLOB), (_dash, 0.03, ANY), (_several, 0.04, FINE),
    (_turned, 0.03, ANY), (_struck, 0.02, FINE),
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
            kind, _, widths = KINDS[rng.choice(len(KINDS), p=shares / shares.sum())]
            image = picture(kind(rng), rng, widths=widths)
        images[i] = image.reshape(-1)
    return images, np.full(N_PER_JOB, NOT_A_DIGIT)


def load_outliers(n: int, *, seed: int, cache: Path) -> Split:
    """Return n outliers, drawn now or found in the cache folder."""
    return cached(draw_outliers, "outliers", n, seed=seed, cache=cache)
