"""The part of MNIST that ships with the lesson, and a few pictures that it shows.

Run: python -m training.subset [--data-dir data] [--n-train 8000] [--n-val 1000]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from model.checkpoint import write_whole
from model.mlp import N_CLASSES, N_PIXELS
from training.augment import distort
from training.data import DataError, load_train_val
from training.pens import draw_pens
from training.train import to_float

OUT = Path(__file__).parent.parent / "lesson"
SEED = 42  # of the tutorial's split: what validates here is in nobody's 50,000
N_DISTORTED = 8  # images, of as many digits, each with itself as the first of so many
N_PENS = 4  # synthetic digits of each digit


def distorted(images: np.ndarray) -> np.ndarray:
    """Return images, (N, 784) uint8, each as it is and distorted seven times: (N, 8, 784)."""
    generator = torch.Generator().manual_seed(SEED)
    repeated = torch.from_numpy(images).repeat_interleave(N_DISTORTED, dim=0)
    floats = distort(to_float(repeated), generator=generator)
    result = (255 * floats).round().to(torch.uint8).numpy().reshape(-1, N_DISTORTED, N_PIXELS)
    result[:, 0] = images
    return result


def pens() -> np.ndarray:
    """Return four synthetic digits of each digit: (10, 4, 784) uint8."""
    images, _ = draw_pens((SEED, 0))  # whose labels count 0..9 over and over
    rounds = images[: N_PENS * N_CLASSES].reshape(N_PENS, N_CLASSES, N_PIXELS)
    return np.ascontiguousarray(rounds.swapaxes(0, 1))


def write(out: Path, *, data_dir: str | Path, n_train: int, n_val: int) -> None:
    """Write mnist.npz and samples.npz into a folder, each whole or not at all.

    Raises:
        DataError: MNIST is not there, is not MNIST, or has not so many images.
    """
    splits = load_train_val(data_dir, seed=SEED)
    arrays = {}
    for name, split, n in zip(("train", "val"), splits, (n_train, n_val), strict=True):
        if not 0 < n <= len(split.images):
            raise DataError(f"--n-{name}: expected 1 to {len(split.images):,}, found {n:,}.")
        arrays[f"{name}_images"] = split.images[:n].numpy()
        arrays[f"{name}_labels"] = split.labels[:n].numpy().astype(np.uint8)
    _, first = np.unique(splits[0].labels.numpy(), return_index=True)
    shown = distorted(splits[0].images[first[:N_DISTORTED]].numpy())
    _save(out / "mnist.npz", arrays)
    _save(out / "samples.npz", {"distorted": shown, "pens": pens()})


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    def save(beside: Path) -> None:
        with beside.open("wb") as file:
            np.savez_compressed(file, **arrays)  # ty: ignore

    write_whole(path, save)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.subset", description=__doc__)
    parser.add_argument("--data-dir", default="data", help="holds MNIST/raw, or will (data)")
    parser.add_argument("--n-train", type=int, default=8_000)
    parser.add_argument("--n-val", type=int, default=1_000)
    options = parser.parse_args(arguments)
    try:
        write(OUT, data_dir=options.data_dir, n_train=options.n_train, n_val=options.n_val)
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
