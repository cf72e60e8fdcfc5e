"""Measure a saved checkpoint on MNIST's test set: python -m training.evaluate [MODEL ...]"""

import argparse
import sys
from collections.abc import Sequence

from model import checkpoint
from model.mlp import MLP
from model.reader import pick_device
from training.calibrate import calibration_error, trace
from training.data import DataError, Split, load_test


def measure(model: MLP, test: Split, *, temperature: float, threshold: float) -> dict[str, float]:
    """Return a network's figures on labelled digits, each a share in 0..1."""
    logits, doubts = trace(model, test)
    probabilities = (logits / temperature).softmax(1)
    return {
        "test_accuracy": (logits.argmax(1) == test.labels).float().mean().item(),
        "test_calibration_error": calibration_error(probabilities, test.labels),
        "test_refused": (doubts.sigmoid() > threshold).float().mean().item(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print each checkpoint's accuracy on the test set; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("models", nargs="*", default=checkpoint.shipped_names(), metavar="MODEL")
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    options = parser.parse_args(arguments)
    try:
        device = pick_device(options.device)
        loaded = {name: checkpoint.load(name) for name in options.models}
        test = load_test(options.data_dir, device=device)
    except (checkpoint.CheckpointError, DataError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for name, found in loaded.items():
        config = found.config
        figures = measure(
            found.model.to(device), test,
            temperature=config.temperature, threshold=config.threshold,
        )  # fmt: skip
        print(
            f"{name:12} accuracy {figures['test_accuracy']:.2%}, "
            f"calibration error {figures['test_calibration_error']:.2%}, "
            f"refused {figures['test_refused']:.2%}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
