"""How many people's drawings each shipped network reads, by pen width, digit and writer.

Run: python -m benchmarks.drawings DRAWINGS.jsonl [--model NAME ...]
A line of the file: {"writer": 1, "digit": 9, "strokes": [[[x, y], ...], ...]}
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from model import Reader
from model.checkpoint import shipped_names
from model.drawing import parse, rasterize

CANVAS = 280  # px
DIGIT = 200  # px: the long side of a drawing on the canvas, 20/28 of it as in MNIST
PENS = (10, 16, 22)  # px


def canvas_picture(strokes: list, pen: float) -> np.ndarray:
    """Draw on a canvas of 280 px as a person would see it: (280, 280) uint8, black on white."""
    points = parse(strokes)
    every = np.concatenate(points)
    low, high = every.min(axis=0), every.max(axis=0)
    scale = DIGIT / (high - low).max()
    centre = (low + high) / 2
    placed = [(p - centre) * scale + CANVAS / 2 for p in points]
    ink = rasterize(placed, pen_width=pen, height=CANVAS, width=CANVAS)
    return (255 - 255 * ink).round().astype(np.uint8)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("drawings", type=Path)
    parser.add_argument("--model", nargs="+", default=shipped_names())
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in arguments.drawings.read_text().splitlines()]
    digits = np.array([row["digit"] for row in rows])
    writers = np.array([row["writer"] for row in rows])
    readers = [Reader.load(name, device="cpu") for name in arguments.model]
    print(f"{len(rows)} drawings by {len(set(writers))} writers; % read right")
    for reader in readers:
        right = {
            f"pen {pen}": _right(
                [reader.read(canvas_picture(r["strokes"], pen)) for r in rows], digits
            )
            for pen in PENS
        }
        right["strokes"] = _right([reader.read_strokes(r["strokes"]) for r in rows], digits)
        _print_table(reader.name, right, digits, writers)
    return 0


def _right(readings: list, digits: np.ndarray) -> np.ndarray:
    return np.array([r.digit for r in readings]) == digits


def _print_table(
    name: str, right: dict[str, np.ndarray], digits: np.ndarray, writers: np.ndarray
) -> None:
    print(f"\n{name:12}" + "".join(f"{column:>10}" for column in right))
    _print_row("all", right, lambda r: r)
    for writer in sorted(set(writers)):
        _print_row(f"writer {writer}", right, lambda r, w=writer: r[writers == w])
    for digit in range(10):
        _print_row(f"digit {digit}", right, lambda r, d=digit: r[digits == d])


def _print_row(label: str, right: dict[str, np.ndarray], pick: Callable) -> None:
    shares = (100 * pick(r).mean() for r in right.values())
    print(f"{label:12}" + "".join(f"{share:10.1f}" for share in shares))


if __name__ == "__main__":
    sys.exit(main())
