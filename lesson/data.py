"""What the lesson trains on: the part of MNIST that ships, or all of it where it is there."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from model import mnist
from model.mlp import SIZE

SUBSET = Path(__file__).parent / "mnist.npz"
SAMPLES = Path(__file__).parent / "samples.npz"
SEED = 42  # of the tutorial's split


class Digits(NamedTuple):
    """Pictures and their labels."""

    images: Tensor  # (N, 784) uint8, ink 255 on paper 0
    labels: Tensor  # (N,) int64, 0..9


class ShippedMNIST(Dataset):
    """The images that ship, one at a time, as torchvision's MNIST gives them.

    The arguments are torchvision's. `root`, `train` and `download` have no effect.
    """

    def __init__(
        self,
        root: str | Path = "",
        train: bool = True,
        transform: Callable[[Image.Image], Any] | None = None,
        download: bool = False,
    ) -> None:
        both = zip(*load_subset(), strict=True)  # to train and to validate on
        images, self.targets = (torch.cat(tensors) for tensors in both)
        self.data = images.reshape(-1, SIZE, SIZE)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = Image.fromarray(self.data[index].numpy())
        return self.transform(image) if self.transform else image, int(self.targets[index])


@cache
def load_subset() -> tuple[Digits, Digits]:
    """Return the images that ship, to train and to validate on: some of each of `load_mnist`'s."""
    with np.load(SUBSET) as file:
        train, val = (_digits(file[f"{p}_images"], file[f"{p}_labels"]) for p in ("train", "val"))
    return train, val


def load_mnist(data_dir: str | Path) -> tuple[Digits, Digits]:
    """Return 50,000 images to train on and 10,000 to validate on, as `python -m training` does.

    Raises:
        DataError: a file is missing or damaged.
    """
    train, val = mnist.load_train(data_dir, seed=SEED)
    return Digits(*train), Digits(*val)


def _digits(images: np.ndarray, labels: np.ndarray) -> Digits:
    return Digits(torch.from_numpy(images), torch.from_numpy(labels).long())
