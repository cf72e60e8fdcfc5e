"""How much of what is no digit each shipped network refuses, by kind and by threshold.

Run: python -m benchmarks.outliers [--model NAME ...] [--data-dir data] [--drawings FILE.jsonl]

Nothing here was trained on: the letters are A. V. Hershey's, drawn as strokes, and the scribbles
are random walks with inertia, where training bends splines through random points.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from HersheyFonts import HersheyFonts

from benchmarks.drawings import canvas_picture
from model import Reader
from model.checkpoint import shipped_names
from training.calibrate import trace
from training.data import load_test

N = 1_000  # of each kind
PENS = (8, 22)  # px, of a canvas of 280
PRINT, SCRIPT = ("futural", "futuram", "rowmans", "timesr", "timesi"), ("cursive", "scripts")
LETTERS = "AEFHKMNPRTUVWX" + "defhkmnprtuvwx"  # unlike digits in print; in script some are like
THRESHOLDS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98)


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
    found = []
    for name in fonts:
        font = HersheyFonts()
        font.load_default_font(name)
        for character in characters:
            strokes = font.strokes_for_text(character)
            found.append([np.array(list(stroke)) for stroke in strokes])
    return found


def tilted(strokes: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Turn strokes by up to 10 degrees, slant and stretch them."""
    angle = np.radians(rng.uniform(-10, 10))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    shape = np.array([[np.exp(rng.normal(0, 0.1)), 0], [rng.normal(0, 0.1), 1]])
    return [stroke @ shape @ turn for stroke in strokes]


def numbers(rng: np.random.Generator) -> list[np.ndarray]:
    """Two digits side by side."""
    font = HersheyFonts()
    font.load_default_font(rng.choice(PRINT[:3]))
    text = str(rng.integers(10, 100))
    return tilted([np.array(list(s)) for s in font.strokes_for_text(text)], rng)


def noisy_paper(rng: np.random.Generator) -> np.ndarray:
    """An empty canvas with a camera's or a scanner's noise: (280, 280) uint8."""
    sheet = rng.uniform(120, 250) + rng.normal(0, rng.uniform(1, 25), (280, 280))
    return np.clip(sheet, 0, 255).round().astype(np.uint8)


def pictures(rng: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """Return N pictures of each kind."""

    def drawn(make: Callable[[np.random.Generator], list[np.ndarray]]) -> list[np.ndarray]:
        return [canvas_picture(make(rng), rng.uniform(*PENS)) for _ in range(N)]

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
        "noisy paper": [noisy_paper(rng) for _ in range(N)],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", default=shipped_names())
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--drawings", type=Path)
    arguments = parser.parse_args()
    outliers = pictures(np.random.default_rng(0))
    test = load_test(arguments.data_dir)
    drawings = []
    if arguments.drawings:
        rows = [json.loads(line) for line in arguments.drawings.read_text().splitlines()]
        drawings = [canvas_picture(row["strokes"], 16) for row in rows]
    for name in arguments.model:
        reader = Reader.load(name, device="cpu")
        doubts = {"MNIST test": trace(reader.model, test)[1].sigmoid().numpy()}
        if drawings:
            doubts["drawings"] = _doubts(reader, drawings)
        doubts |= {kind: _doubts(reader, many) for kind, many in outliers.items()}
        _print_table(reader, doubts)
    return 0


def _doubts(reader: Reader, many: list[np.ndarray]) -> np.ndarray:
    return np.array([reading.not_a_digit for reading in reader.read_batch(many)])


def _print_table(reader: Reader, doubts: dict[str, np.ndarray]) -> None:
    print(f"\n{reader.name}: % refused, by threshold (* as shipped)")
    print(f"{'threshold':>10}" + "".join(f"{kind:>12}" for kind in doubts))
    for threshold in sorted({*THRESHOLDS, reader.threshold}):
        shares = (100 * (values > threshold).mean() for values in doubts.values())
        mark = "*" if threshold == reader.threshold else " "
        print(f"{threshold:9.2f}{mark}" + "".join(f"{share:12.2f}" for share in shares))
    digits, letters = doubts["MNIST test"], doubts["letters"]
    print(f"letters against MNIST's digits: AUROC {_auroc(letters, digits):.4f}")


def _auroc(high: np.ndarray, low: np.ndarray) -> float:
    """Return how often one of `high` is above one of `low`."""
    below = torch.searchsorted(torch.from_numpy(np.sort(low)), torch.from_numpy(high)).float()
    return float(below.mean() / len(low))


if __name__ == "__main__":
    sys.exit(main())
