"""Accuracy of each shipped network on people's drawings, by stroke width, digit and writer.

Accuracy is the share of drawings whose most probable digit is correct, whether they are rejected or
not. The rows "rejected" and "accepted, correct" follow; the latter counts a rejected drawing as an
error. A second table gives the share of answers that change if the drawing is moved, scaled,
turned, drawn with another stroke width, or stored in another format.

Run: python -m benchmarks.drawings DRAWINGS.jsonl [--model NAME ...]
A line of the file: {"writer": 1, "digit": 9, "strokes": [[[x, y], ...], ...]}
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from model import Reader, Reading
from model.checkpoint import shipped_names
from training.data import DataError
from training.drawings import load_drawings
from training.metrics import calibration_error
from training.synthetic.canvas import ALTERATIONS, STROKE_WIDTH, STROKE_WIDTHS, canvas_picture


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("drawings", type=Path)
    parser.add_argument("--model", nargs="+", default=shipped_names())
    arguments = parser.parse_args()
    try:
        rows = load_drawings(arguments.drawings)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    digits = np.array([row["digit"] for row in rows])
    writers = np.array([row["writer"] for row in rows])
    readers = [Reader.load(name, device="cpu") for name in arguments.model]
    print(f"{len(rows)} drawings by {len(set(writers))} writers; accuracy in %")
    for reader in readers:
        readings = {
            f"pen {pen}": reader.read_batch(canvas_picture(r["strokes"], pen) for r in rows)
            for pen in STROKE_WIDTHS
        }
        readings["strokes"] = [reader.read_strokes(row["strokes"]) for row in rows]
        right = {key: _most_probable(many) == digits for key, many in readings.items()}
        _print_table(reader.name, right, digits, writers)
        answered = {key: _digits(many) == digits for key, many in readings.items()}
        _print_row("accepted, correct", answered, lambda r: r)
        _print_confidence(readings, digits)
        _print_changes(reader, [row["strokes"] for row in rows])
    return 0


def _most_probable(readings: list[Reading]) -> np.ndarray:
    """Return the digit with the largest logit, (N,), whether or not the drawing is rejected."""
    return np.array([reading.logits.argmax() for reading in readings])


def _digits(readings: list[Reading]) -> np.ndarray:
    """Return the digit of each answer, (N,); -1 if it is rejected or blank."""
    return np.array([-1 if r.digit is None else r.digit for r in readings])


def _print_confidence(readings: dict[str, list[Reading]], digits: np.ndarray) -> None:
    labels = torch.from_numpy(digits)
    refused = {key: np.array([r.digit is None for r in many]) for key, many in readings.items()}
    _print_row("rejected", refused, lambda r: r)
    errors = {
        key: calibration_error(torch.tensor(np.array([r.probabilities for r in many])), labels)
        for key, many in readings.items()
    }
    _print_row("calib. error", {key: np.array([e]) for key, e in errors.items()}, lambda e: e)


def _print_changes(reader: Reader, drawings: list) -> None:
    """Print for each change of the drawings the share of answers that differ, in %."""
    rng = np.random.default_rng(0)
    plain = _digits(reader.read_batch(canvas_picture(d, STROKE_WIDTH) for d in drawings))
    print(f"\n{reader.name}: % of answers that change")
    for change, make in ALTERATIONS.items():
        changed = _digits(reader.read_batch(make(d, rng) for d in drawings)) != plain
        print(f"{change:24}{100 * changed.mean():8.2f}")


def _print_table(
    name: str, right: dict[str, np.ndarray], digits: np.ndarray, writers: np.ndarray
) -> None:
    print(f"\n{name:15}" + "".join(f"{column:>10}" for column in right))
    _print_row("all", right, lambda r: r)
    for writer in sorted(set(writers)):
        _print_row(f"writer {writer}", right, lambda r, w=writer: r[writers == w])
    for digit in range(10):
        _print_row(f"digit {digit}", right, lambda r, d=digit: r[digits == d])


def _print_row(label: str, right: dict[str, np.ndarray], pick: Callable) -> None:
    shares = (100 * pick(r).mean() for r in right.values())
    print(f"{label:15}" + "".join(f"{share:10.1f}" for share in shares))


if __name__ == "__main__":
    sys.exit(main())
