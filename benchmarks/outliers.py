"""Measure how many outliers each shipped network rejects, by kind and by threshold.

Run: python -m benchmarks.outliers [--model NAME ...] [--data-dir data] [--drawings FILE.jsonl]
[--characters OMNIGLOT.jsonl]

None of the pictures was used for training: see training/synthetic/unseen_outliers.py.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from model import Reader
from model.checkpoint import shipped_names
from training.calibration import compute_logits
from training.data import DataError, load_test
from training.drawings import load_drawings
from training.evaluate import THRESHOLDS
from training.metrics import auroc
from training.synthetic.canvas import STROKE_WIDTH, canvas_picture
from training.synthetic.pack import HELD_OUT
from training.synthetic.unseen_outliers import draw_unseen_outliers

N = 1_000  # of each kind


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", default=shipped_names(), help="shipped models")
    parser.add_argument("--data-dir", default="data", help="the folder with MNIST (data)")
    parser.add_argument("--drawings", type=Path, help="people's drawings, one per line")
    parser.add_argument(
        "--characters",
        type=Path,
        help="Omniglot, one drawing per line; alphabets held out are used",
    )
    options = parser.parse_args()
    try:
        test = load_test(options.data_dir)
        rows = load_drawings(options.drawings) if options.drawings else []
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    drawings = [canvas_picture(row["strokes"], STROKE_WIDTH) for row in rows]
    outliers = draw_unseen_outliers(N, np.random.default_rng(0))
    if options.characters:
        outliers |= _held_out_characters(options.characters)
    for name in options.model:
        reader = Reader.load(name, device="cpu")
        _, log_odds = compute_logits(reader.model, test)
        probs = {"MNIST test": log_odds.sigmoid().numpy()}
        if drawings:
            probs["drawings"] = _rejection_probs(reader, drawings)
        probs |= {kind: _rejection_probs(reader, many) for kind, many in outliers.items()}
        _print_table(reader, probs)
    return 0


def _held_out_characters(path: Path) -> dict[str, list[np.ndarray]]:
    """Return pictures of the characters of the alphabets that are not trained on, by alphabet."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {
        alphabet: [
            canvas_picture(row["strokes"], STROKE_WIDTH)
            for row in rows
            if row["alphabet"] == alphabet
        ]
        for alphabet in HELD_OUT
    }


def _rejection_probs(reader: Reader, pictures: list[np.ndarray]) -> np.ndarray:
    return np.array([reading.not_a_digit for reading in reader.read_batch(pictures)])


def _print_table(reader: Reader, probs: dict[str, np.ndarray]) -> None:
    print(f"\n{reader.name}: % rejected, by threshold (* as shipped)")
    print(f"{'threshold':>10}" + "".join(f"{kind:>12}" for kind in probs))
    for threshold in sorted({*THRESHOLDS, reader.threshold}):
        shares = (100 * (values > threshold).mean() for values in probs.values())
        mark = "*" if threshold == reader.threshold else " "
        print(f"{threshold:9.2f}{mark}" + "".join(f"{share:12.2f}" for share in shares))
    print(f"letters and MNIST's digits: AUROC {auroc(probs['letters'], probs['MNIST test']):.4f}")


if __name__ == "__main__":
    sys.exit(main())
