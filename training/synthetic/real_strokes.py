"""Strokes that people wrote: digits and characters of other scripts, from two public collections.

pendigits.npz holds 7,494 digits by 30 writers on a tablet, sampled every 100 ms.
Source: E. Alpaydin, F. Alimoglu, "Pen-Based Recognition of Handwritten Digits", UCI Machine
Learning Repository, 1998, CC BY 4.0. Only its training set is used.

omniglot.npz holds 106 characters of 6 alphabets, each by 20 people.
Source: B. Lake, R. Salakhutdinov, J. Tenenbaum, "Human-level concept learning through probabilistic
program induction", Science 350, 2015, MIT licence.

`python -m training.synthetic.pack` writes these files from one JSON object per line.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from training.synthetic.strokes import Polylines

FOLDER = Path(__file__).parent
VAL_FOLDS = 5  # each fifth of the 30 writers of pendigits is left for validation


class RealStrokes(NamedTuple):
    """Drawings by people. Strokes are in units of the drawing's longer side, y down."""

    drawings: list[Polylines]
    labels: np.ndarray  # (N,) int64: the digit, or the character: 100 × its alphabet + its number
    writers: np.ndarray  # (N,) int64

    def where(self, chosen: np.ndarray) -> "RealStrokes":
        """Return the drawings for which a mask, (N,) bool, is true."""
        kept = np.flatnonzero(chosen)
        return RealStrokes([self.drawings[i] for i in kept], self.labels[kept], self.writers[kept])


@cache
def load_digit_strokes(*, validation: bool) -> RealStrokes:
    """Return pendigits' training drawings by 24 writers, or by the other 6 for validation."""
    digits = _load(FOLDER / "pendigits.npz")
    return digits.where((digits.writers % VAL_FOLDS == 0) == validation)


@cache
def load_character_strokes() -> RealStrokes:
    """Return omniglot's drawings of characters, without those that a person may call a digit."""
    return _load(FOLDER / "omniglot.npz")


def _load(path: Path) -> RealStrokes:
    with np.load(path) as file:
        steps, lengths, counts = file["steps"], file["lengths"], file["counts"]
        labels, writers = file["labels"].astype(np.int64), file["writers"].astype(np.int64)
    strokes = np.split(steps.astype(np.float64), np.cumsum(lengths)[:-1])
    strokes = [np.cumsum(stroke, axis=0) for stroke in strokes]
    stops = np.cumsum(counts)
    drawings = [
        _normalise(strokes[stop - count : stop]) for stop, count in zip(stops, counts, strict=True)
    ]
    return RealStrokes(drawings, labels, writers)


def _normalise(strokes: Polylines) -> Polylines:
    """Move a drawing to the origin and scale its longer side to 1."""
    every = np.concatenate(strokes)
    low = every.min(axis=0)
    side = max((every.max(axis=0) - low).max(), 1.0)
    return [(stroke - low) / side for stroke in strokes]
