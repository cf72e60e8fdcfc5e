"""What the lesson trains on: the part of MNIST that ships, or all of it where it is there."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset, random_split

from model.mlp import N_PIXELS

SUBSET = Path(__file__).parent / "mnist.npz"
SAMPLES = Path(__file__).parent / "samples.npz"
TRAIN_SIZE, VAL_SIZE, SEED = 50_000, 10_000, 42  # the tutorial's split
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
HEADERS = {IMAGES: 16, LABELS: 8}  # bytes before the first value of an IDX file
SIZES = {
    IMAGES: HEADERS[IMAGES] + (TRAIN_SIZE + VAL_SIZE) * N_PIXELS,
    LABELS: HEADERS[LABELS] + TRAIN_SIZE + VAL_SIZE,
}


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
    """Say whether MNIST's training files lie in data_dir/MNIST/raw, by their sizes."""
    paths = {Path(data_dir, "MNIST", "raw", name): size for name, size in SIZES.items()}
    return all(path.is_file() and path.stat().st_size == size for path, size in paths.items())


def load_mnist(data_dir: str | Path) -> tuple[Digits, Digits]:
    """Return 50,000 images to train on and 10,000 to validate on, as `python -m training` does."""
    images, labels = (_parse(Path(data_dir), name) for name in (IMAGES, LABELS))
    everything = _digits(images.reshape(-1, N_PIXELS), labels)
    generator = torch.Generator().manual_seed(SEED)
    parts = random_split(TensorDataset(*everything), [TRAIN_SIZE, VAL_SIZE], generator=generator)
    train, val = (Digits(*(tensor[part.indices] for tensor in everything)) for part in parts)
    return train, val


def _parse(data_dir: Path, name: str) -> np.ndarray:
    return np.fromfile(data_dir / "MNIST" / "raw" / name, np.uint8, offset=HEADERS[name])


def _digits(images: np.ndarray, labels: np.ndarray) -> Digits:
    return Digits(torch.from_numpy(images), torch.from_numpy(labels).long())
