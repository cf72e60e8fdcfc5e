"""Outliers for evaluation, out of the distribution of the training data as far as possible.

Letters and script are A. V. Hershey's fonts, drawn as strokes, while training varies skeletons of
its own. Scribbles are random walks with inertia, while training bends splines through random
points. Training draws dots, dashes, several digits and noise much as they are drawn here.
"""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from HersheyFonts import HersheyFonts

from training.synthetic.canvas import CANVAS, canvas_picture
from training.synthetic.strokes import Polylines

STROKE_WIDTHS = (8, 22)  # px on a canvas of 280 px: the smallest and the largest
PRINT, SCRIPT = ("futural", "futuram", "rowmans", "timesr", "timesi"), ("cursive", "scripts")
SEEN_KINDS = frozenset({"dots", "dashes", "two digits", "noisy paper"})  # training has them too
LETTERS = "AEFHKMNPRTUVWX" + "defhkmnprtuvwx"  # unlike digits, except for some in script


def scribbles(rng: np.random.Generator) -> Polylines:
    """One to three random walks with inertia, pulled to the middle."""
    strokes = []
    for _ in range(rng.integers(1, 4)):
        place, speed, path = rng.normal(0, 1, 2), rng.normal(0, 0.3, 2), []
        for _ in range(rng.integers(30, 200)):
            speed = 0.9 * speed - 0.02 * place + rng.normal(0, 0.15, 2)
            place = place + speed
            path.append(place)
        strokes.append(np.array(path))
    return strokes


def dots(rng: np.random.Generator) -> Polylines:
    """One dot, or two to five in random places."""
    n = 1 if rng.random() < 0.5 else int(rng.integers(2, 6))
    return [point[None] for point in rng.random((n, 2))]


def dashes(rng: np.random.Generator) -> Polylines:
    """A line at an angle of at most 25 degrees, with tremor."""
    angle = np.radians(rng.uniform(-25, 25))
    t = np.linspace(0, 1, 20)[:, None]
    return [t * [np.cos(angle), np.sin(angle)] + np.cumsum(rng.normal(0, 0.004, (20, 2)), axis=0)]


def glyphs(characters: str, fonts: Sequence[str]) -> list[Polylines]:
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


def transform(strokes: Polylines, rng: np.random.Generator) -> Polylines:
    """Rotate strokes by at most 10 degrees, slant and stretch them."""
    angle = np.radians(rng.uniform(-10, 10))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    shape = np.array([[np.exp(rng.normal(0, 0.1)), 0], [rng.normal(0, 0.1), 1]])
    return [stroke @ shape @ turn for stroke in strokes]


def two_digits(rng: np.random.Generator) -> Polylines:
    """Two digits side by side."""
    font = _font(str(rng.choice(PRINT[:3])))
    text = str(rng.integers(10, 100))
    return transform([np.array(list(s)) for s in font.strokes_for_text(text)], rng)


def noisy_paper(rng: np.random.Generator) -> np.ndarray:
    """An empty canvas with the noise of a camera or a scanner: (280, 280) uint8."""
    sheet = rng.uniform(120, 250) + rng.normal(0, rng.uniform(1, 25), (CANVAS, CANVAS))
    return np.clip(sheet, 0, 255).round().astype(np.uint8)


def draw_unseen_outliers(n: int, rng: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """Return n pictures of each kind, (280, 280) uint8 each."""

    def drawn(make: Callable[[np.random.Generator], Polylines]) -> list[np.ndarray]:
        return [canvas_picture(make(rng), rng.uniform(*STROKE_WIDTHS)) for _ in range(n)]

    def letters(fonts: Sequence[str]) -> list[np.ndarray]:
        shapes = glyphs(LETTERS, fonts)
        return drawn(lambda rng: transform(shapes[rng.integers(len(shapes))], rng))

    return {
        "letters": letters(PRINT),
        "script": letters(SCRIPT),
        "scribbles": drawn(scribbles),
        "dots": drawn(dots),
        "dashes": drawn(dashes),
        "two digits": drawn(two_digits),
        "noisy paper": [noisy_paper(rng) for _ in range(n)],
    }
