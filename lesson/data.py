"""The lesson's training data: the shipped part of MNIST, or all of MNIST if it is available."""

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
SEED = 42  # seed of the tutorial's random_split


class Digits(NamedTuple):
    """Images and their labels."""

    images: Tensor  # (N, 784) uint8, ink 255 on paper 0
    labels: Tensor  # (N,) int64, 0..9


class ShippedMNIST(Dataset):
    """The shipped images as a Dataset like torchvision's MNIST, with the same arguments.

    `root`, `train` and `download` have no effect.
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
    """Return the shipped training and validation images, which are a part of `load_mnist`'s."""
    with np.load(SUBSET) as file:
        train, val = (_digits(file[f"{p}_images"], file[f"{p}_labels"]) for p in ("train", "val"))
    return train, val


def load_mnist(data_dir: str | Path) -> tuple[Digits, Digits]:
    """Return MNIST's 50,000 training and 10,000 validation images, as in `python -m training`.

    Raises:
        DataError: a file is missing or damaged.
    """
    train, val = mnist.load_train(data_dir, seed=SEED)
    return Digits(*train), Digits(*val)


def _digits(images: np.ndarray, labels: np.ndarray) -> Digits:
    return Digits(torch.from_numpy(images), torch.from_numpy(labels).long())
