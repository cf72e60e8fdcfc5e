"""Write the part of MNIST that ships with the lesson, and the images that the lesson shows.

Run: python -m training.subset [--data-dir data] [--n-train 8000] [--n-val 1000]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from model.checkpoint_files import write_whole
from model.mlp import N_CLASSES, N_PIXELS
from training.augment import distort
from training.data import DataError, load_train_val, to_float
from training.synthetic.digits import draw_digits

OUT = Path(__file__).parent.parent / "lesson"
SEED = 42  # of the tutorial's split: validation images are not among its 50,000 training images
N_DISTORTED = 8  # images of different digits, and versions of each: itself and 7 distorted ones
N_SYNTHETIC = 4  # of each digit


def distort_images(images: np.ndarray) -> np.ndarray:
    """Return images, (N, 784) uint8, each as it is and distorted in 7 ways: (N, 8, 784)."""
    generator = torch.Generator().manual_seed(SEED)
    repeated = torch.from_numpy(images).repeat_interleave(N_DISTORTED, dim=0)
    floats = distort(to_float(repeated), generator=generator)
    result = (255 * floats).round().to(torch.uint8).numpy().reshape(-1, N_DISTORTED, N_PIXELS)
    result[:, 0] = images
    return result


def sample_synthetic_digits() -> np.ndarray:
    """Return synthetic digits, 4 of each digit: (10, 4, 784) uint8."""
    images, _ = draw_digits((SEED, 0))  # the digits 0 to 9 in turn
    rounds = images[: N_SYNTHETIC * N_CLASSES].reshape(N_SYNTHETIC, N_CLASSES, N_PIXELS)
    return np.ascontiguousarray(rounds.swapaxes(0, 1))


def write_subset(out: Path, *, data_dir: str | Path, n_train: int, n_val: int) -> None:
    """Write mnist.npz and samples.npz into a folder, each file atomically.

    Raises:
        DataError: MNIST is missing or damaged, or has fewer images.
    """
    splits = load_train_val(data_dir, seed=SEED)
    arrays = {}
    for name, split, n in zip(("train", "val"), splits, (n_train, n_val), strict=True):
        if not 0 < n <= len(split.images):
            raise DataError(f"--n-{name}: expected 1 to {len(split.images):,}, found {n:,}.")
        arrays[f"{name}_images"] = split.images[:n].numpy()
        arrays[f"{name}_labels"] = split.labels[:n].numpy().astype(np.uint8)
    _, first = np.unique(splits[0].labels.numpy(), return_index=True)
    shown = distort_images(splits[0].images[first[:N_DISTORTED]].numpy())
    _save(out / "mnist.npz", arrays)
    _save(out / "samples.npz", {"distorted": shown, "pens": sample_synthetic_digits()})


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)  # ty: ignore

    write_whole(path, write)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.subset", description=__doc__)
    parser.add_argument("--data-dir", default="data", help="the folder with MNIST (data)")
    parser.add_argument("--n-train", type=int, default=8_000, help="training images (8000)")
    parser.add_argument("--n-val", type=int, default=1_000, help="validation images (1000)")
    options = parser.parse_args(arguments)
    try:
        write_subset(OUT, data_dir=options.data_dir, n_train=options.n_train, n_val=options.n_val)
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
