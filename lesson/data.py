"""What the lesson trains on: the part of MNIST that ships, or all of it where it is there."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from model import mnist

SUBSET = Path(__file__).parent / "mnist.npz"
SAMPLES = Path(__file__).parent / "samples.npz"
SEED = 42  # of the tutorial's split


class Digits(NamedTuple):
    """Pictures and their labels."""

    images: Tensor  # (N, 784) uint8, ink 255 on paper 0
    labels: Tensor  # (N,) int64, 0..9


@cache
def load_subset() -> tuple[Digits, Digits]:
    """Return the images that ship, to train and to validate on: some of each of `load_mnist`'s."""
    with np.load(SUBSET) as file:
        train, val = (_digits(file[f"{p}_images"], file[f"{p}_labels"]) for p in ("train", "val"))
    return train, val


def has_mnist(data_dir: str | Path) -> bool:
    """Return whether all of MNIST's training images are there; only sizes are checked."""
    return mnist.has_train(data_dir)


def load_mnist(data_dir: str | Path) -> tuple[Digits, Digits]:
    """Return 50,000 images to train on and 10,000 to validate on, as `python -m training` does.

    Raises:
        DataError: a file is missing or damaged.
    """
    train, val = mnist.load_train(data_dir, seed=SEED)
    return Digits(*train), Digits(*val)


def _digits(images: np.ndarray, labels: np.ndarray) -> Digits:
    return Digits(torch.from_numpy(images), torch.from_numpy(labels).long())
