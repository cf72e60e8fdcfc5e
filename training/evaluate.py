"""Measure a saved checkpoint on MNIST's test set: python -m training.evaluate [MODEL ...]"""

import argparse
import sys
from collections.abc import Sequence

from model import checkpoint
from model.reader import pick_device
from training.data import DataError, load_test
from training.train import evaluate


def main(arguments: Sequence[str] | None = None) -> int:
    """Print each checkpoint's accuracy on the test set; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("models", nargs="*", default=checkpoint.shipped_names(), metavar="MODEL")
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    options = parser.parse_args(arguments)
    try:
        device = pick_device(options.device)
        models = {name: checkpoint.load(name).model.to(device) for name in options.models}
        test = load_test(options.data_dir, device=device)
    except (checkpoint.CheckpointError, DataError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for name, model in models.items():
        loss, accuracy = evaluate(model, test)
        n_wrong = round(len(test.labels) * (1 - accuracy))
        print(f"{name:12} accuracy {accuracy:.2%}, {n_wrong} of 10,000 wrong, loss {loss:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
