"""MNIST for the lesson: the part that ships."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

SUBSET = Path(__file__).parent / "mnist.npz"
SAMPLES = Path(__file__).parent / "samples.npz"


class Digits(NamedTuple):
    images: Tensor  # (N, 784) uint8
    labels: Tensor  # (N,) int64


def load_subset() -> tuple[Digits, Digits]:
    with np.load(SUBSET) as file:
        return tuple(
            Digits(
                torch.from_numpy(file[f"{part}_images"]).reshape(-1, 784),
                torch.from_numpy(file[f"{part}_labels"].astype(np.int64)),
            )
            for part in ("train", "val")
        )
