"""How much of what is no digit each shipped network refuses, by kind and by threshold.

Run: python -m benchmarks.outliers [--model NAME ...] [--data-dir data] [--drawings FILE.jsonl]

Nothing here was trained on: see training/strangers.py.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from model import Reader
from model.checkpoint import shipped_names
from training.calibrate import trace
from training.canvas import PEN, canvas_picture, load_drawings
from training.data import load_test
from training.evaluate import THRESHOLDS, auroc
from training.strangers import pictures

N = 1_000  # of each kind


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", default=shipped_names())
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--drawings", type=Path)
    arguments = parser.parse_args()
    outliers = pictures(N, np.random.default_rng(0))
    test = load_test(arguments.data_dir)
    drawings = []
    if arguments.drawings:
        rows = load_drawings(arguments.drawings)
        drawings = [canvas_picture(row["strokes"], PEN) for row in rows]
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
    print(f"letters against MNIST's digits: AUROC {auroc(letters, digits):.4f}")


if __name__ == "__main__":
    sys.exit(main())
