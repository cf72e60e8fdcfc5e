"""Write a collection of strokes compactly: python -m training.synthetic.pack FROM.jsonl TO.npz

A line of FROM is such as {"writer": 1, "digit": 9, "strokes": [[[x, y], ...], ...]}. Lines of
Omniglot have "alphabet", "character" and "drawer" instead; only the alphabets of LIKE_DIGITS are
packed, without the characters that look like a digit. Coordinates are rounded to integers.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

HELD_OUT = ("Korean", "Sanskrit")  # the alphabets of Omniglot that are left for evaluation
# Numbers of the characters, by alphabet, that a person may call a digit.
LIKE_DIGITS: dict[str, Sequence[int]] = {
    "Balinese": (5,),
    "Early Aramaic": (1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 14, 16, 17, 19, 20),
    "Greek": (2, 4, 6, 8, 9, 14, 15, 18, 21),
    "Japanese (katakana)": (1, 2, 4, 16, 22, 24, 27, 30, 35, 36, 37, 42, 43, 45, 46),
    "Latin": (1, 2, 7, 9, 10, 12, 15, 17, 19, 25, 26),
    "Tagalog": (3, 4, 16),
}


def pack(rows: Sequence[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the steps from point to point, (P, 2), and the lengths of strokes and of drawings.

    A stroke's length is its number of points, a drawing's its number of strokes. The first step of
    each stroke starts at the drawing's first point.
    """
    steps, lengths, counts = [], [], []
    for row in rows:
        strokes = [np.rint(np.array(stroke)[:, :2]).astype(np.int64) for stroke in row["strokes"]]
        origin = strokes[0][0]
        for stroke in strokes:
            moved = np.concatenate([[True], (np.diff(stroke, axis=0) != 0).any(axis=1)])
            points = stroke[moved]
            steps.append(np.diff(points, axis=0, prepend=origin[None]))
            lengths.append(len(points))
        counts.append(len(strokes))
    return (
        np.concatenate(steps).astype(np.int16),
        np.array(lengths, np.uint16),
        np.array(counts, np.uint8),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.synthetic.pack", description=__doc__)
    parser.add_argument("source", type=Path, metavar="FROM.jsonl")
    parser.add_argument("file", type=Path, metavar="TO.npz")
    options = parser.parse_args(arguments)
    lines = options.source.read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    if "alphabet" in rows[0]:
        rows = [
            row for row in rows
            if row["alphabet"] in LIKE_DIGITS
            and row["character"] not in LIKE_DIGITS[row["alphabet"]]
        ]  # fmt: skip
        alphabets = sorted({row["alphabet"] for row in rows})
        labels = [100 * alphabets.index(row["alphabet"]) + row["character"] for row in rows]
        writers = [row["drawer"] for row in rows]
    else:
        labels = [row["digit"] for row in rows]
        writers = [int(row["writer"]) for row in rows]
    steps, lengths, counts = pack(rows)
    np.savez_compressed(
        options.file,
        steps=steps,
        lengths=lengths,
        counts=counts,
        labels=np.array(labels, np.int16),
        writers=np.array(writers, np.uint8),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
