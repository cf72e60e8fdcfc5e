"""Pictures of no digit, to measure what is refused; training has its own, in training/outliers.py.

The letters and the script are A. V. Hershey's, drawn as strokes, where training writes skeletons of
its own; the scribbles are random walks with inertia, where training bends splines through random
points. Training draws dots, dashes, digits side by side and noise much as they are drawn here.
"""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from HersheyFonts import HersheyFonts

from training.canvas import CANVAS, canvas_picture

PENS = (8, 22)  # px, of a canvas of 280
PRINT, SCRIPT = ("futural", "futuram", "rowmans", "timesr", "timesi"), ("cursive", "scripts")
ALIKE = frozenset({"dots", "dashes", "two digits", "noisy paper"})  # training draws them too
LETTERS = "AEFHKMNPRTUVWX" + "defhkmnprtuvwx"  # unlike digits in print; in script some are like


def scribbles(rng: np.random.Generator) -> list[np.ndarray]:
    """Random walks with inertia, pulled to the middle: one to three of them."""
    strokes = []
    for _ in range(rng.integers(1, 4)):
        place, speed, path = rng.normal(0, 1, 2), rng.normal(0, 0.3, 2), []
        for _ in range(rng.integers(30, 200)):
            speed = 0.9 * speed - 0.02 * place + rng.normal(0, 0.15, 2)
            place = place + speed
            path.append(place)
        strokes.append(np.array(path))
    return strokes


def dots(rng: np.random.Generator) -> list[np.ndarray]:
    """A point, or two to five that are far apart."""
    n = 1 if rng.random() < 0.5 else int(rng.integers(2, 6))
    return [point[None] for point in rng.random((n, 2))]


def dashes(rng: np.random.Generator) -> list[np.ndarray]:
    """A line of up to 25 degrees, by an unsteady hand."""
    angle = np.radians(rng.uniform(-25, 25))
    t = np.linspace(0, 1, 20)[:, None]
    return [t * [np.cos(angle), np.sin(angle)] + np.cumsum(rng.normal(0, 0.004, (20, 2)), axis=0)]


def glyphs(characters: str, fonts: Sequence[str]) -> list[list[np.ndarray]]:
    """Return each character's strokes in each font, y down."""
    return [
        [np.array(list(stroke)) for stroke in _font(name).strokes_for_text(character)]
        for name in fonts
        for character in characters
    ]


@cache
def _font(name: str) -> HersheyFonts:
    font = HersheyFonts()
    font.load_default_font(name)
    return font


def tilted(strokes: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Turn strokes by up to 10 degrees, slant and stretch them."""
    angle = np.radians(rng.uniform(-10, 10))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    shape = np.array([[np.exp(rng.normal(0, 0.1)), 0], [rng.normal(0, 0.1), 1]])
    return [stroke @ shape @ turn for stroke in strokes]


def numbers(rng: np.random.Generator) -> list[np.ndarray]:
    """Two digits side by side."""
    font = _font(str(rng.choice(PRINT[:3])))
    text = str(rng.integers(10, 100))
    return tilted([np.array(list(s)) for s in font.strokes_for_text(text)], rng)


def noisy_paper(rng: np.random.Generator) -> np.ndarray:
    """An empty canvas with a camera's or a scanner's noise: (280, 280) uint8."""
    sheet = rng.uniform(120, 250) + rng.normal(0, rng.uniform(1, 25), (CANVAS, CANVAS))
    return np.clip(sheet, 0, 255).round().astype(np.uint8)


def pictures(n: int, rng: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """Return n pictures of each kind, (280, 280) uint8 each."""

    def drawn(make: Callable[[np.random.Generator], list[np.ndarray]]) -> list[np.ndarray]:
        return [canvas_picture(make(rng), rng.uniform(*PENS)) for _ in range(n)]

    def letters(fonts: Sequence[str]) -> list[np.ndarray]:
        shapes = glyphs(LETTERS, fonts)
        return drawn(lambda rng: tilted(shapes[rng.integers(len(shapes))], rng))

    return {
        "letters": letters(PRINT),
        "script": letters(SCRIPT),
        "scribbles": drawn(scribbles),
        "dots": drawn(dots),
        "dashes": drawn(dashes),
        "two digits": drawn(numbers),
        "noisy paper": [noisy_paper(rng) for _ in range(n)],
    }
