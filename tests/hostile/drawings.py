"""Cases: drawings within the limits that are costly to render, and drawings that are too long."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.hostile.arguments import by, on_the_page
from tests.hostile.caller import ANSWERED, READ, Case

N_POINTS = 10_000
WIDTHS = (0.125, 0.5, 1.0, 2.0, 4.0)
LONG = "times as long as the drawing's longer side; at most 500 times are read"


def zigzag(n_points: int, *, width: float = 1) -> list:
    """Return a stroke that alternates between two sides of a square."""
    return [[[i % 2, 0.9 * i / n_points, width] for i in range(n_points)]]


def scribble(n_points: int, *, width: float = 1) -> list:
    """Return a stroke that covers a square, in steps of 4 % of its side."""
    turns = np.arange(n_points) * 0.04
    x, y = (100 * np.abs((turns * rate) % 2 - 1) for rate in (1, 0.618))
    return [np.column_stack([x, y, np.full(n_points, width)]).round(3).tolist()]


def spiral(width: float) -> list:
    """Return a spiral of 60 turns."""
    share = np.linspace(0, 1, N_POINTS)
    angle = 2 * np.pi * 60 * share
    x, y = 100 * share * np.cos(angle), 100 * share * np.sin(angle)
    return [np.column_stack([x, y, np.full(N_POINTS, width)]).round(3).tolist()]


def short_strokes(width: float) -> list:
    """Return 1,000 strokes of ten points, spread over a square."""
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 100, (1_000, 1, 2)) + rng.normal(0, 2, (1_000, 10, 2))
    widths = np.full((1_000, 10, 1), width)
    return np.concatenate([points, widths], axis=2).round(3).tolist()


def clusters(width: float) -> list:
    """Return two clusters of many points, far apart."""
    points = np.random.default_rng(0).normal(0, 0.01, (N_POINTS, 2))
    points[N_POINTS // 2 :] += 100
    return [np.column_stack([points, np.full(N_POINTS, width)]).tolist()]


def with_widths(strokes: list, widths: tuple[float, ...]) -> list:
    """Return strokes whose points have these widths in turn."""
    return [
        [[x, y, widths[i % len(widths)]] for i, (x, y, *_) in enumerate(stroke)]
        for stroke in strokes
    ]


def beyond_the_sketchpad(strokes: list) -> list:
    """Return strokes across the sketchpad and one point at 10^8, which makes the drawing huge."""
    return [*([[280 * x, 280 * y, *width] for x, y, *width in stroke] for stroke in strokes),
            [[1e8, 1e8]]]  # fmt: skip


COSTLY: dict[str, Any] = {
    **{f"a zigzag, width {w}": zigzag(500, width=w) for w in WIDTHS},
    **{f"a scribble, width {w}": scribble(N_POINTS, width=w) for w in WIDTHS},
    **{f"a spiral, width {w}": spiral(w) for w in WIDTHS},
    **{f"1,000 short strokes, width {w}": short_strokes(w) for w in WIDTHS},
    **{f"two clusters, width {w}": clusters(w) for w in WIDTHS},
    "the same point, width 4": [[[5, 5, 4]] * N_POINTS],
    "the same point, two widths": with_widths([[[5, 5]] * N_POINTS], (0.125, 4)),
    "a scribble, two widths": with_widths(scribble(N_POINTS), (0.125, 4)),
    "a spiral, all widths": with_widths(spiral(1), tuple(i / 8 for i in range(1, 33))),
    "1,000 short strokes, two widths": with_widths(short_strokes(1), (0.125, 4)),
    "a zigzag beyond the sketchpad": beyond_the_sketchpad(zigzag(N_POINTS - 1)),
}
TOO_LONG: dict[str, Any] = {
    "10,000 points across the sheet": zigzag(N_POINTS, width=4),
    "just over 500 times the longer side": zigzag(502),
    "1,000 strokes of random points": (
        np.random.default_rng(1).uniform(0, 100, (1_000, 10, 2)).round(3).tolist()
    ),
}


def cases() -> Iterator[Case]:
    for name, strokes in COSTLY.items():
        for endpoint in ("predict_strokes", "explain_strokes"):
            send = by("run", endpoint, strokes, "mlp-1024")
            yield Case(f"a costly drawing to /{endpoint}: {name}", send, ANSWERED, READ)
        for part in ("sketchpad", "lesson-sketchpad"):
            question = {"models": ["mlp-1024", "mlp-32"], "strokes": strokes}
            send = on_the_page(question, part=part)
            yield Case(f"a costly drawing on the {part}: {name}", send, ANSWERED, READ)
    for name, strokes in TOO_LONG.items():
        for endpoint in ("predict_strokes", "explain_strokes"):
            send = by("run", endpoint, strokes, "mlp-32")
            yield Case(f"too long a drawing to /{endpoint}: {name}", send, (422,), LONG)
        send = on_the_page({"models": ["mlp-32"], "strokes": strokes})
        yield Case(f"too long a drawing on the page: {name}", send, ANSWERED, LONG)
