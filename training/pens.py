"""Digits and other shapes as people write them: skeletons of strokes, each time written anew.

MNIST's writers were American census workers and students. Elsewhere a 1 has an upstroke, a 7 a
bar, a 9 a hook. The skeletons below are drawn by model/drawing.py and framed by
model/preprocess.py, the very path of the page.

Run: python -m training.pens --sheet pens.png
"""

import argparse
import multiprocessing
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from PIL import Image

from model.checkpoint import write_whole
from model.drawing import draw
from model.mlp import N_CLASSES, N_PIXELS, SIZE
from model.preprocess import Preprocessed, preprocess
from training.data import Split

Stroke = list[np.ndarray]  # smooth runs that meet in corners, each (P, 2), unit: the height
Skeleton = list[Stroke]

# On a grid of 100 × 100, y down. Points are joined smoothly; "/" is a corner at the point before
# it; "+" lifts the pen. Regional forms are as Wikipedia describes and pictures them in "Regional
# handwriting variation".
DIGITS: dict[int, Sequence[str]] = {
    0: (
        "50,0 18,20 10,60 42,100 78,78 84,30 50,0",
        "50,0 80,22 84,65 50,100 15,75 14,28 50,0",
        "62,4 28,8 10,52 32,96 68,92 84,48 58,2 44,10",
        "50,0 12,30 12,70 50,100 88,70 88,30 50,0",
        "50,0 18,20 10,60 42,100 78,78 84,30 50,0 + 88,2 8,98",
        "50,0 12,30 12,70 50,100 88,70 88,30 50,0 + 76,22 24,78",
        "40,6 14,35 14,70 48,100 82,66 78,22 50,2 30,0",
    ),
    1: (
        "50,0 50,100",
        "54,0 50,50 48,100",
        "32,20 50,0 / 50,100",
        "26,28 50,0 / 50,100",
        "6,55 50,0 / 50,100",
        "0,72 50,0 / 52,100",
        "14,40 50,0 / 50,100",
        "4,50 30,32 50,0 / 50,100",
        "10,44 34,30 52,0 / 50,100",
        "0,62 26,42 48,0 / 50,100",
        "0,45 80,0 / 80,100",
        "0,62 88,0 / 84,100",
        "0,30 62,0 / 66,100",
        "0,85 70,0 / 78,100",
        "0,50 40,34 82,0 / 80,100",
        "30,22 50,0 / 50,100 + 24,100 76,100",
        "10,45 50,0 / 50,100 + 28,100 74,100",
        "34,16 50,0 / 50,100 / 22,100 80,98",
        "30,14 50,0 / 50,100 + 20,98 84,100",
    ),
    2: (
        "12,22 35,0 70,5 78,32 50,65 10,100 / 86,98",
        "14,26 40,0 76,14 64,50 14,98 / 90,96",
        "12,25 35,0 72,8 75,38 45,75 15,98 8,85 30,82 60,98 92,90",
        "12,28 38,0 74,14 62,56 22,94 8,90 24,78 56,94 90,88",
        "15,30 25,5 60,0 78,25 60,60 15,95 40,88 65,98 90,90",
        "10,12 45,0 76,16 58,54 8,100 / 88,100",
        "22,18 50,2 74,22 54,60 18,98 50,92 84,98",
    ),
    3: (
        "15,12 45,0 75,20 38,46 / 80,68 50,100 10,88",
        "18,8 52,0 74,24 46,44 / 82,62 62,98 12,92",
        "15,10 50,0 72,22 45,45 36,52 48,48 80,70 50,100 10,88",
        "14,16 40,0 72,18 40,46 74,60 72,92 40,100 8,86",
        "15,3 75,3 / 40,42 / 75,52 78,84 45,100 10,88",
        "12,4 78,2 / 44,38 / 82,62 60,98 10,94",
        "24,6 60,2 70,26 34,46 / 76,56 70,90 26,100",
    ),
    4: (
        "30,0 12,60 / 86,58 + 62,25 58,100",
        "26,0 22,50 / 86,50 + 70,0 70,100",
        "22,2 14,54 / 84,50 + 66,12 60,100",
        "60,0 / 5,65 / 92,65 + 62,0 62,100",
        "62,100 60,0 / 8,65 / 92,65",
        "66,0 34,38 8,66 / 94,64 + 66,34 64,100",
        "15,0 16,38 42,52 76,40 + 80,0 74,100",
        "12,4 18,46 / 78,44 + 82,0 76,46 64,100",
        "16,2 12,36 34,50 72,42 + 78,2 74,50 60,100",
        "40,0 10,55 / 82,50 + 55,30 50,100",
        "16,0 14,46 / 76,46 / 78,0 / 76,100",
        "20,4 10,44 24,56 70,48 + 74,4 66,100",
        "34,0 8,48 / 94,50 + 60,10 60,100",
        "28,4 24,30 10,52 40,56 84,46 + 68,16 56,100",
        "46,0 26,40 0,66 / 80,62 + 50,40 40,100",
        "8,8 10,40 44,46 76,30 / 86,0 78,60 74,100",
        "74,100 78,0 / 40,30 6,60 / 96,62",
    ),
    5: (
        "80,3 28,3 / 20,45 / 60,38 82,68 55,100 10,90",
        "76,2 24,4 / 22,44 / 52,36 80,58 70,90 34,100 10,90",
        "28,3 22,45 / 60,38 82,68 55,100 10,90 + 28,3 82,0",
        "24,6 20,48 / 54,38 82,60 64,96 12,94 + 24,6 86,4",
        "78,5 35,8 25,40 65,48 78,75 45,100 10,90",
        "84,4 34,2 / 26,46 62,46 78,72 50,98 12,98",
        "30,8 26,44 / 62,42 74,74 44,100 14,92 + 36,6 92,0",
    ),
    6: (
        "65,0 25,35 12,75 45,100 76,78 54,55 18,72",
        "70,2 40,15 15,60 25,95 60,98 78,72 50,52 18,72",
        "60,0 15,50 20,92 60,98 70,65 40,58 12,85",
        "76,10 48,0 16,34 12,78 45,100 80,76 52,50 16,68",
        "54,0 26,40 14,78 36,100 66,92 64,64 34,64 16,80",
        "40,0 18,50 22,92 58,98 72,70 46,56 20,74",
        "80,0 40,30 12,72 34,100 72,90 66,60 24,66",
        "50,0 22,30 10,70 34,100 74,84 66,56 36,54 14,72",
        "30,0 14,40 10,80 34,100 66,88 68,62 40,52 12,70",
        "84,14 60,0 28,20 10,66 30,98 64,96 76,72 50,58 20,68",
        "60,0 24,44 16,90 50,98 60,76 44,64 20,80",
        "36,0 10,60 26,100 70,96 84,70 60,50 20,58",
        "72,6 36,24 14,64 26,98 62,96 66,70 42,66 26,90",
    ),
    7: (
        "10,3 86,3 / 40,100",
        "10,5 84,2 / 56,45 44,100",
        "8,4 80,4 / 64,40 56,100",
        "10,3 86,3 / 40,100 + 30,50 78,48",
        "8,6 84,4 / 54,44 44,100 + 28,54 80,46",
        "12,18 12,3 / 86,3 / 40,100",
        "10,20 14,4 / 84,4 / 46,100 + 32,52 76,50",
        "8,14 28,2 58,10 86,2 / 45,100",
        "6,12 24,4 56,12 88,0 / 56,50 46,100 + 34,56 78,48",
        "6,3 88,5 / 26,98",
    ),
    8: (
        "72,15 45,0 22,20 50,47 80,75 50,100 18,75 45,50 75,20 70,10",
        "50,48 20,22 50,0 78,22 50,48 18,75 50,100 82,75 50,48",
        "50,0 25,22 50,46 75,22 50,0 + 50,46 15,74 50,100 85,74 50,46",
        "78,8 32,8 34,38 72,65 65,98 25,92 30,60 74,22",
        "66,8 34,4 28,32 66,58 70,90 34,98 28,68 62,40 74,14",
        "52,2 28,20 48,46 72,24 52,2 + 48,46 20,72 46,100 78,76 48,46",
        "76,4 40,4 26,28 56,50 76,74 50,100 20,78 44,50 84,6",
    ),
    9: (
        "75,15 45,0 15,28 42,52 72,30 75,10 / 72,100",
        "78,10 40,0 18,30 45,50 75,25 78,4 70,100",
        "74,20 48,0 18,26 42,50 72,24 / 60,100",
        "75,20 45,0 15,28 42,52 74,24 / 76,80 50,100 14,90",
        "76,16 44,0 16,26 44,50 74,20 / 76,70 64,98 20,96",
        "80,18 54,0 30,20 50,42 78,20 / 80,78 50,100 2,84",
        "88,8 60,0 38,22 62,44 88,18 90,74 60,100 4,80",
        "80,10 50,4 30,24 54,46 78,26 / 80,86 56,100 20,96",
        "70,24 46,2 20,22 44,46 70,20 / 72,74 44,100 6,74",
        "74,22 48,0 18,22 40,48 72,24 74,78 44,100 16,86",
        "72,25 45,0 15,25 40,50 72,25 65,70 40,100",
        "74,26 50,0 14,20 32,52 72,28 62,74 26,98",
        "70,12 40,0 18,25 42,50 70,30 70,8 + 72,4 72,100",
        "70,14 42,0 16,24 38,50 70,26 + 74,2 74,78 50,100 18,92",
        "80,4 42,2 16,28 44,48 78,8 / 42,100",
        "76,6 40,0 14,22 36,40 74,14 / 70,60 60,100",
        "66,4 30,10 14,40 40,58 72,20 74,60 58,88 24,100",
        "78,12 52,0 20,18 26,44 60,44 80,14 / 82,60 64,92 30,100 8,84",
        "84,6 46,4 20,30 44,46 82,12 86,56 66,96 24,94",
        "60,2 24,12 20,36 52,42 70,16 60,2 / 76,50 66,90 30,98 12,82",
        "72,0 32,8 26,34 58,38 80,6 76,60 46,98 0,90",
        "40,2 14,18 22,42 54,36 60,10 40,2 / 64,50 68,100",
        "50,0 20,14 22,38 50,44 70,22 50,0 + 70,18 62,100",
    ),
}

PEN_WIDTHS = (0.02, 0.28)  # of the drawing's long side: from a hairline to a marker
N_PER_JOB = 500  # drawings that one job makes from one seed, whatever the number of processes

# Part of the name of every cached file. Raise it with each change that makes other images of the
# same seed: of the skeletons and shapes here and in training/outliers.py, of rendering and
# preprocessing in model/, or of N_PER_JOB. A test compares the images with those of this version.
VERSION = 1


def parse(text: str) -> Skeleton:
    """Return a skeleton's strokes in units of its height, y down."""
    strokes = []
    for stroke in text.split(" + "):
        runs, last = [], []
        for run in stroke.split(" / "):
            points = [[float(n) / 100 for n in point.split(",")] for point in run.split()]
            if len(last + points) > 1:
                runs.append(np.array(last + points))
            last = points[-1:]
        strokes.append(runs)
    return strokes


def write(skeleton: Skeleton, rng: np.random.Generator) -> list[np.ndarray]:
    """Write a skeleton as one person would once: strokes of points, (P, 2) each, y down."""
    shakiness = 0.012 * rng.exponential()
    density = np.exp(rng.uniform(np.log(5), np.log(40)))  # points to a unit: a slow pen has many
    wave, phase, bend = _smooth_field(rng, size=0.045 * rng.gamma(2.0, 0.6))
    power = np.exp(rng.normal(0, (0.12, 0.22)))  # a bowl may be half of the height, or a third
    strokes = []
    for stroke in skeleton:
        offset = rng.normal(0, 0.02, 2)
        runs = []
        for run in stroke:
            # A function of the place alone: where strokes meet, they move together.
            moved = np.sign(run) * np.abs(run) ** power
            moved = moved + np.sin(moved @ wave + phase) @ bend
            if len(run) > 2:
                moved[1:-1] += rng.normal(0, 0.028, moved[1:-1].shape)
            runs.append(_sample(moved, density, rng))
        points = np.concatenate([runs[0], *(run[1:] for run in runs[1:])]) + offset
        points += _tremor(len(points), shakiness, rng)
        strokes.append(_flick(_overshoot(points, rng), rng))
    return _transform(strokes, rng)


def _smooth_field(rng: np.random.Generator, *, size: float) -> tuple[np.ndarray, ...]:
    """Return waves of the plane, (2, K), their phases, (K,), and what they displace, (K, 2)."""
    n_waves = 4
    wave = rng.normal(0, 4.0, (2, n_waves))
    return wave, rng.uniform(0, 2 * np.pi, n_waves), rng.normal(0, size / 2, (n_waves, 2))


def _sample(run: np.ndarray, density: float, rng: np.random.Generator) -> np.ndarray:
    """Return points on the smooth curve through a run's points, as a hurried pen reports them."""
    if len(run) == 2:  # no one draws a straight line
        along = run[1] - run[0]
        bow = rng.normal(0, 0.03) * np.array([-along[1], along[0]])
        run = np.array([run[0], run.mean(axis=0) + bow, run[1]])
    length = np.linalg.norm(np.diff(run, axis=0), axis=1).sum()
    n = max(2 * len(run) - 1, round(density * length))
    t = np.linspace(0, 1, n)
    t = t + rng.uniform(-0.12, 0.12) * np.sin(2 * np.pi * t)  # speed wobbles
    return catmull_rom(run, t * (len(run) - 1))


def catmull_rom(points: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return the curve through points, (P, 2), at times t in 0..P-1: (len(t), 2).

    Source: Catmull, Rom, "A Class of Local Interpolating Splines", 1974.
    """
    closed = np.allclose(points[0], points[-1]) and len(points) > 3
    before = points[-2] if closed else 2 * points[0] - points[1]
    after = points[1] if closed else 2 * points[-1] - points[-2]
    padded = np.concatenate([[before], points, [after]])
    i = np.clip(np.floor(t).astype(int), 0, len(points) - 2)
    f = (t - i)[:, None]
    p0, p1, p2, p3 = (padded[i + k] for k in range(4))
    cubic = (3 * (p1 - p2) + p3 - p0) * f + 2 * p0 - 5 * p1 + 4 * p2 - p3
    return p1 + 0.5 * f * (p2 - p0 + f * cubic)


def _tremor(n: int, size: float, rng: np.random.Generator) -> np.ndarray:
    noise = rng.normal(0, size, (n + 2, 2))
    return (noise[:-2] + 2 * noise[1:-1] + noise[2:]) / 2.5


def _overshoot(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lengthen or shorten a stroke at both ends."""
    by = rng.normal(0, 0.025, 2) + (rng.random(2) < 0.15) * rng.normal(0, 0.06, 2)
    points = points.copy()
    for end, next_, amount in ((0, 1, by[0]), (-1, -2, by[1])):
        along = points[end] - points[next_]
        points[end] += along / max(np.linalg.norm(along), 1e-6) * max(amount, -0.04)
    return points


def _flick(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Let the pen land or lift with a short flick, or stop early."""
    if rng.random() < 0.2:
        points = points[: max(2, round(len(points) * rng.uniform(0.85, 1)))]
    before, after = (rng.normal(0, 0.06, (int(rng.random() < 0.1), 2)) for _ in range(2))
    return np.concatenate([points[0] + before, points, points[-1] + after])


def _transform(strokes: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    aspect = np.exp(rng.normal(-0.05, 0.22))
    slant = np.clip(rng.normal(0.08, 0.2), -0.45, 0.6)
    angle = np.clip(rng.normal(0, 0.1), -0.25, 0.25)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.array([[cos, sin], [-sin, cos]])
    matrix = np.array([[aspect, 0], [-slant, 1]]) @ matrix
    return [points @ matrix for points in strokes]


def picture(
    strokes: Sequence[np.ndarray],
    rng: np.random.Generator,
    *,
    widths: tuple[float, float] = PEN_WIDTHS,
) -> np.ndarray | None:
    """Draw with a pen of some width and frame as the page does: (28, 28) uint8, None if blank.

    `widths` are the pen's least and greatest, relative to the drawing's long side.
    """
    low, high = np.log(widths)
    # np.ndarray has all that a sequence of sequences has.
    framed = preprocess(draw(strokes, pen_width=float(np.exp(rng.uniform(low, high)))))  # ty: ignore
    return as_uint8(framed)


def as_uint8(framed: Preprocessed) -> np.ndarray | None:
    """Return what the network sees, (28, 28) uint8; None if it is blank."""
    return None if framed.blank else (255 * framed.image).round().astype(np.uint8)


def draw_pens(seed: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Draw N_PER_JOB digits from one seed: images (N, 784) uint8, labels (N,) 0..9."""
    rng = np.random.default_rng(seed)
    images, labels = np.empty((N_PER_JOB, N_PIXELS), np.uint8), np.arange(N_PER_JOB) % N_CLASSES
    for i, digit in enumerate(labels):
        image = None
        while image is None:
            skeleton = parse(rng.choice(DIGITS[int(digit)]))
            image = picture(write(skeleton, rng), rng)
        images[i] = image.reshape(-1)
    return images, labels


def load_pens(n: int, *, seed: int, cache: Path) -> Split:
    """Return n synthetic digits, drawn now or found in the cache folder."""
    return cached(draw_pens, "pens", n, seed=seed, cache=cache)


def cached(
    make: Callable[[tuple[int, int]], tuple[np.ndarray, np.ndarray]],
    name: str,
    n: int,
    *,
    seed: int,
    cache: Path,
) -> Split:
    """Return n images and labels of `make`, from the cache folder or made now on all cores.

    The cache is keyed by what decides the images: VERSION, `name`, n and the seed. Files of other
    versions are not read; they may be deleted at any time.
    """
    path = cache / f"{name}-v{VERSION}-{n}-{seed}.npz"
    try:
        with np.load(path) as file:
            images, labels = file["images"], file["labels"]
    except (OSError, ValueError, EOFError, KeyError, BadZipFile):  # not there, or damaged
        jobs = [(seed, i) for i in range(max(1, -(-n // N_PER_JOB)))]
        # Forking a process that torch's threads run in may hang.
        with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
            parts = list(pool.map(make, jobs))
        images = np.concatenate([images for images, _ in parts])[:n]
        labels = np.concatenate([labels for _, labels in parts])[:n]
        _keep(path, images, labels)
    return Split(torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64)))


def _keep(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    def save(beside: Path) -> None:
        with beside.open("wb") as file:
            np.savez(file, images=images, labels=labels)

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, save)
    except OSError as error:  # a read-only folder: they are drawn again next time
        print(f"not cached: {error.strerror}", file=sys.stderr)


def sheet(images: np.ndarray, *, columns: int) -> Image.Image:
    """Lay pictures, (N, 784) uint8, out in rows: dark ink on white."""
    rows = len(images) // columns
    tiles = images[: rows * columns].reshape(rows, columns, SIZE, SIZE)
    return Image.fromarray(255 - tiles.transpose(0, 2, 1, 3).reshape(rows * SIZE, columns * SIZE))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a sheet of samples; return the exit status."""
    from training.outliers import draw_outliers  # which imports this module

    parser = argparse.ArgumentParser(prog="python -m training.pens", description=__doc__)
    parser.add_argument("--sheet", type=Path, required=True, metavar="FILE.png")
    parser.add_argument("--outliers", action="store_true", help="what is no digit, instead")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    images, _ = (draw_outliers if options.outliers else draw_pens)((options.seed, 0))
    # A column a digit.
    sheet(images, columns=20).resize((1_120, 1_400)).save(options.sheet)
    return 0


if __name__ == "__main__":
    sys.exit(main())
