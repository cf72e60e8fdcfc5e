"""How many people's drawings each shipped network reads, by pen width, digit and writer.

A drawing that is refused is not read. A second table says how many answers change when the same
drawing is moved, scaled, turned, drawn with another pen, or stored in another way.

Run: python -m benchmarks.drawings DRAWINGS.jsonl [--model NAME ...]
A line of the file: {"writer": 1, "digit": 9, "strokes": [[[x, y], ...], ...]}
"""

import argparse
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from model import Reader, Reading
from model.checkpoint import shipped_names
from model.drawing import parse, rasterize
from model.picture import Picture
from training.calibrate import calibration_error

CANVAS = 280  # px
DIGIT = 200  # px: the long side of a drawing on the canvas, 20/28 of it as in MNIST
PENS = (10, 16, 22)  # px
PEN = 16  # px: what the changes are compared with


def canvas_picture(
    strokes: list, pen: float, *, size: float = DIGIT, shift: tuple[float, float] = (0, 0)
) -> np.ndarray:
    """Draw on a canvas of 280 px as a person would see it: (280, 280) uint8, black on white.

    `size` is the drawing's long side and `shift` moves it off the middle, px.
    """
    points = _places(strokes)
    every = np.concatenate(points)
    low, high = every.min(axis=0), every.max(axis=0)
    scale = size / max((high - low).max(), 1e-9)
    centre = (low + high) / 2
    placed = [(p - centre) * scale + CANVAS / 2 + shift for p in points]
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
        readings = {
            f"pen {pen}": reader.read_batch(canvas_picture(r["strokes"], pen) for r in rows)
            for pen in PENS
        }
        readings["strokes"] = [reader.read_strokes(row["strokes"]) for row in rows]
        right = {key: _digits(many) == digits for key, many in readings.items()}
        _print_table(reader.name, right, digits, writers)
        _print_confidence(readings, digits)
        _print_changes(reader, [row["strokes"] for row in rows])
    return 0


def _digits(readings: list[Reading]) -> np.ndarray:
    return np.array([-1 if r.digit is None else r.digit for r in readings])


def _print_confidence(readings: dict[str, list[Reading]], digits: np.ndarray) -> None:
    labels = torch.from_numpy(digits)
    refused = {key: np.array([r.digit is None for r in many]) for key, many in readings.items()}
    _print_row("refused", refused, lambda r: r)
    errors = {
        key: calibration_error(torch.tensor(np.array([r.probabilities for r in many])), labels)
        for key, many in readings.items()
    }
    _print_row("calib. error", {key: np.array([e]) for key, e in errors.items()}, lambda e: e)


def _print_changes(reader: Reader, drawings: list) -> None:
    """Say how many answers differ from the one for the drawing as it is, and how many at most."""
    rng = np.random.default_rng(0)
    plain = _digits(reader.read_batch(canvas_picture(d, PEN) for d in drawings))
    print(f"\n{reader.name}: % of answers that change")
    for change, make in CHANGES.items():
        changed = _digits(reader.read_batch(make(d, rng) for d in drawings)) != plain
        print(f"{change:24}{100 * changed.mean():8.2f}")


def _places(strokes: list) -> list[np.ndarray]:
    """Return each stroke's points, (P, 2), without the pen's width: here one pen draws all."""
    return [points[:, :2] for points in parse(strokes)]


def _turned(strokes: list, degrees: float) -> list:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return [points @ np.array([[cos, sin], [-sin, cos]]) for points in _places(strokes)]


def _resized(strokes: list, factor: float) -> Image.Image:
    side = round(CANVAS * factor)
    return Image.fromarray(canvas_picture(strokes, PEN)).resize((side, side))


def _transparent(strokes: list) -> np.ndarray:
    ink = 255 - canvas_picture(strokes, PEN)
    nothing = np.zeros_like(ink)
    return np.stack([nothing, nothing, nothing, ink], axis=2)


def _jpeg(strokes: list) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(canvas_picture(strokes, PEN)).save(file, "JPEG", quality=50)
    file.seek(0)
    return file


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


CHANGES: dict[str, Callable[[list, np.random.Generator], Picture]] = {
    "shifted by up to 60 px": lambda d, rng: canvas_picture(
        d, PEN * 0.7, size=DIGIT * 0.7, shift=tuple(rng.uniform(-60, 60, 2))
    ),
    **{f"drawn at {s} times": lambda d, _, s=s: canvas_picture(d, PEN * s, size=DIGIT * s)
       for s in (0.3, 0.5, 0.7, 1.3)},
    **{f"picture scaled by {s}": lambda d, _, s=s: _resized(d, s) for s in (0.3, 0.5, 2, 3)},
    **{f"pen {p} px": lambda d, _, p=p: canvas_picture(d, p) for p in (6, 8, 10, 13, 20, 23, 26)},
    "light on dark": lambda d, _: 255 - canvas_picture(d, PEN),
    "transparent": lambda d, _: _transparent(d),
    "JPEG, quality 50": lambda d, _: _jpeg(d),
    **{f"turned by {a} degrees": lambda d, _, a=a: canvas_picture(_turned(d, a), PEN)
       for a in (-10, -5, 5, 10)},
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
