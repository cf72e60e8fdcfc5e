"""MNIST as uint8 tensors: downloaded by torchvision, verified, split as in the tutorial."""

import hashlib
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError

import torch
from torch import Tensor
from torch.utils.data import TensorDataset, random_split

TRAIN_SIZE, VAL_SIZE = 50_000, 10_000
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


class DataError(Exception):
    """MNIST's files are missing, or are not MNIST's."""


class Split(NamedTuple):
    """Pictures and their labels."""

    images: Tensor  # (N, 784) uint8, ink 255 on paper 0
    labels: Tensor  # (N,) int64, 0..9

    def to(self, device: torch.device | str) -> "Split":
        """Return the same on a device."""
        return Split(self.images.to(device), self.labels.to(device))


def import_torchvision():
    """Import torchvision, even where its compiled operators do not fit the installed torch.

    PyPI's torchvision for Linux is built for CUDA. Beside a CPU-only torch its library does not
    load, and the import fails at the two operators that it describes without asking whether they
    exist. The data sets and transforms need neither, so declaring them is enough.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        boxes = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        for operator in ("nms", "qnms"):
            torch.library.define(f"torchvision::{operator}", boxes)
        import torchvision
    return torchvision


def load_train_val(
    data_dir: str | Path, *, seed: int, device: torch.device | str = "cpu"
) -> tuple[Split, Split]:
    """Return 50,000 images to train on and 10,000 to validate on, drawn by `random_split`.

    Raises:
        DataError: the files are not there and cannot be downloaded, or are not MNIST's.
    """
    images, labels = _load(data_dir, train=True)
    generator = torch.Generator().manual_seed(seed)
    dataset = TensorDataset(images, labels)
    parts = random_split(dataset, [TRAIN_SIZE, VAL_SIZE], generator=generator)
    train, val = (Split(images[p.indices].to(device), labels[p.indices].to(device)) for p in parts)
    return train, val


def load_test(data_dir: str | Path, *, device: torch.device | str = "cpu") -> Split:
    """Return the 10,000 test images. For reporting alone: nothing may be chosen by them.

    Raises:
        DataError: the files are not there and cannot be downloaded, or are not MNIST's.
    """
    images, labels = _load(data_dir, train=False)
    return Split(images.to(device), labels.to(device))


def _load(data_dir: str | Path, *, train: bool) -> Split:
    mnist = import_torchvision().datasets.MNIST
    raw = Path(data_dir) / "MNIST" / "raw"
    _verify(raw, train=train)  # before torchvision parses what may be damaged
    try:
        dataset = mnist(data_dir, train=train, download=True)
    except (RuntimeError, URLError, OSError, ValueError) as error:
        raise DataError(
            f"MNIST is not in {raw} and could not be downloaded "
            f"({type(error).__name__}). Put these four files there (.gz works too): "
            + ", ".join(SHA256)
        ) from error
    _verify(raw, train=train)  # what was just downloaded
    return Split(dataset.data.flatten(1), dataset.targets)


def _verify(folder: Path, *, train: bool) -> None:
    """Refuse files that are there and are not MNIST's."""
    for name, expected in SHA256.items():
        path = folder / name
        if name.startswith("train") != train or not path.is_file():
            continue
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != expected:
            raise DataError(
                f"{path} is not MNIST's: SHA-256 {found[:12]}…, expected {expected[:12]}…. "
                "Delete it, and the next run downloads it again."
            )
