"""Vary strokes as handwriting does: proportions, bends, speed, tremor, slant and rotation."""

import numpy as np

from training.synthetic.skeletons import Skeleton

Polylines = list[np.ndarray]  # strokes of points, (P, 2) each, y down


def sample_strokes(skeleton: Skeleton, rng: np.random.Generator) -> Polylines:
    """Return one random handwritten variant of a skeleton, y down."""
    shakiness = 0.012 * rng.exponential()
    density = np.exp(rng.uniform(np.log(5), np.log(40)))  # points per unit: more if drawn slowly
    wave, phase, bend = _smooth_field(rng, size=0.045 * rng.gamma(2.0, 0.6))
    power = np.exp(rng.normal(0, (0.12, 0.22)))  # varies the proportions, such as a bowl's height
    strokes = []
    for stroke in skeleton:
        offset = rng.normal(0, 0.02, 2)
        runs = []
        for run in stroke:
            # This depends on the position only, so strokes that meet move together.
            moved = np.sign(run) * np.abs(run) ** power
            moved = moved + np.sin(moved @ wave + phase) @ bend
            if len(run) > 2:
                moved[1:-1] += rng.normal(0, 0.028, moved[1:-1].shape)
            runs.append(_sample_curve(moved, density, rng))
        points = np.concatenate([runs[0], *(run[1:] for run in runs[1:])]) + offset
        points += _tremor(len(points), shakiness, rng)
        strokes.append(_flick(_overshoot(points, rng), rng))
    return _transform(strokes, rng, aspect=(-0.05, 0.22), slant=(0.08, 0.2), angle=0.1)


def vary_strokes(strokes: Polylines, rng: np.random.Generator) -> Polylines:
    """Return a random variant of strokes that a person wrote, y down.

    `strokes` are in units of the drawing's longer side. They already differ as handwriting does, so
    they change less than a skeleton.
    """
    shakiness = 0.006 * rng.exponential()
    density = np.exp(rng.uniform(np.log(8), np.log(40)))  # points per unit
    wave, phase, bend = _smooth_field(rng, size=0.03 * rng.gamma(2.0, 0.6))
    power = np.exp(rng.normal(0, (0.08, 0.14)))
    varied = []
    for stroke in strokes:
        moved = np.sign(stroke) * np.abs(stroke) ** power
        moved = moved + np.sin(moved @ wave + phase) @ bend + rng.normal(0, 0.01, 2)
        if len(moved) > 2:  # between the samples of a slow device, the pen moved in a curve
            length = np.linalg.norm(np.diff(moved, axis=0), axis=1).sum()
            n = max(2, round(density * length))
            moved = catmull_rom(moved, np.linspace(0, len(moved) - 1, n))
        varied.append(moved + _tremor(len(moved), shakiness, rng))
    return _transform(varied, rng, aspect=(0.0, 0.14), slant=(0.0, 0.12), angle=0.08)


def _smooth_field(rng: np.random.Generator, *, size: float) -> tuple[np.ndarray, ...]:
    """Return K plane waves: wave vectors (2, K), phases (K,) and displacements (K, 2)."""
    n_waves = 4
    wave = rng.normal(0, 4.0, (2, n_waves))
    return wave, rng.uniform(0, 2 * np.pi, n_waves), rng.normal(0, size / 2, (n_waves, 2))


def _sample_curve(run: np.ndarray, density: float, rng: np.random.Generator) -> np.ndarray:
    """Return points, (N, 2), on the smooth curve through a run's points, at varying speed."""
    if len(run) == 2:  # a line that is drawn by hand is slightly bent
        along = run[1] - run[0]
        bow = rng.normal(0, 0.03) * np.array([-along[1], along[0]])
        run = np.array([run[0], run.mean(axis=0) + bow, run[1]])
    length = np.linalg.norm(np.diff(run, axis=0), axis=1).sum()
    n = max(2 * len(run) - 1, round(density * length))
    t = np.linspace(0, 1, n)
    t = t + rng.uniform(-0.12, 0.12) * np.sin(2 * np.pi * t)  # varying speed
    return catmull_rom(run, t * (len(run) - 1))


def catmull_rom(points: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return the Catmull-Rom spline through points, (P, 2), at times t in 0..P-1: (len(t), 2).

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
    """Return smoothed noise for n points, (n, 2)."""
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
    """Add a short flick where the pen lands or lifts, or end the stroke early."""
    if rng.random() < 0.2:
        points = points[: max(2, round(len(points) * rng.uniform(0.85, 1)))]
    before, after = (rng.normal(0, 0.06, (int(rng.random() < 0.1), 2)) for _ in range(2))
    return np.concatenate([points[0] + before, points, points[-1] + after])


def _transform(
    strokes: Polylines,
    rng: np.random.Generator,
    *,
    aspect: tuple[float, float],
    slant: tuple[float, float],
    angle: float,
) -> Polylines:
    """Stretch, slant and rotate all strokes together.

    `aspect` and `slant` are means and standard deviations, `angle` is a standard deviation in
    radians.
    """
    stretch = np.exp(rng.normal(*aspect))
    shear = np.clip(rng.normal(*slant), -0.45, 0.6)
    turn = np.clip(rng.normal(0, angle), -0.25, 0.25)
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[cos, sin], [-sin, cos]])
    matrix = np.array([[stretch, 0], [-shear, 1]]) @ matrix
    return [points @ matrix for points in strokes]


def add_slash(strokes: Polylines, rng: np.random.Generator) -> Polylines:
    """Add a slash across a drawing, as many people write through a 0."""
    middle, half = _middle_and_half(strokes)
    half = np.maximum(half, 0.25)
    rising = rng.random() < 0.85
    direction = np.array([1.0, -1.0] if rising else [1.0, 1.0]) * rng.uniform(0.6, 1.0, 2)
    ends = rng.uniform(0.55, 1.4, 2)[:, None] * direction * half * np.array([[-1], [1]])
    return [*strokes, middle + rng.normal(0, 0.04, 2) + _bowed(ends, rng)]


def add_bar(strokes: Polylines, rng: np.random.Generator) -> Polylines:
    """Add a short bar across the stem of a 7, at half its height."""
    stem = strokes[-1]
    top, bottom = stem[:, 1].min(), stem[:, 1].max()
    y = top + rng.uniform(0.4, 0.65) * (bottom - top)
    x = stem[np.argmin(np.abs(stem[:, 1] - y) - 1e-3 * np.arange(len(stem))), 0]
    reach, tilt = rng.uniform(0.12, 0.34, 2), rng.normal(0, 0.06)
    ends = np.array([[x - reach[0], y + tilt], [x + reach[1], y - tilt]])
    return [*strokes, _bowed(ends, rng)]


def _middle_and_half(strokes: Polylines) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle of the bounding box, (2,), and half of its sides, (2,)."""
    every = np.concatenate(strokes)
    low, high = every.min(axis=0), every.max(axis=0)
    return (low + high) / 2, (high - low) / 2


def _bowed(ends: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a slightly bent line between two points: (9, 2)."""
    along = ends[1] - ends[0]
    bow = rng.normal(0, 0.04) * np.array([-along[1], along[0]])
    return catmull_rom(np.array([ends[0], ends.mean(axis=0) + bow, ends[1]]), np.linspace(0, 2, 9))
