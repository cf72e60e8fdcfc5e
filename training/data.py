"""Load MNIST as uint8 tensors: downloaded by torchvision, verified, split as in the tutorial."""

import socket
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from model import mnist
from model.mnist import SHA256, TRAIN_SIZE, VAL_SIZE, DataError

__all__ = [
    "SHA256", "SPLITS", "TRAIN_SIZE", "VAL_SIZE", "DataError", "Split", "SyntheticData", "fetch",
    "import_torchvision", "load_test", "load_train_val", "to_float",
]  # fmt: skip
SPLITS = ("random", "writers", "all")
WRITERS_FILE = Path(__file__).parent / "mnist-writers.npz"
VAL_FOLDS = 6  # with the split "writers", each sixth writer is left for validation: 90 of 539
TIMEOUT = 15  # s without a byte until a download has failed


class Split(NamedTuple):
    """Images and their labels."""

    images: Tensor  # (N, 784) uint8, ink 255 on paper 0
    labels: Tensor  # (N,) int64, 0..9, or 10 for outliers

    def to(self, device: torch.device | str) -> "Split":
        """Return a split with its tensors on `device`. Tensors already there are shared."""
        return Split(self.images.to(device), self.labels.to(device))


class SyntheticData(NamedTuple):
    """Synthetic images to train on and to validate on; see training/synthetic/."""

    digits: Split
    written_digits: Split
    outliers: Split
    val_digits: Split
    val_written_digits: Split  # by writers that training has not seen
    val_outliers: Split


def to_float(images: Tensor) -> Tensor:
    """Convert uint8 ink, 0..255, to float32 in 0..1."""
    return images / 255


def import_torchvision():
    """Import torchvision, even if its compiled operators do not fit the installed torch.

    PyPI's torchvision for Linux is built for CUDA. With a CPU-only torch, its library does not
    load, and the import fails because two operators are missing. The data sets and transforms use
    neither of them, so declaring them is enough.
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
    data_dir: str | Path, *, seed: int, split: str = "random", device: torch.device | str = "cpu"
) -> tuple[Split, Split]:
    """Return the images to train on and those to validate on.

    With the split "random", `random_split` draws 50,000 and 10,000, and almost every writer is on
    both sides. With "writers", about 10,000 images by a sixth of the writers are validated on; the
    seed says which sixth. With "all", all 60,000 are trained on, and none are validated on.

    Raises:
        DataError: the files are damaged, or missing and cannot be downloaded.
    """
    _ensure(data_dir, mnist.TRAIN)
    if split == "random":
        train, val = mnist.load_train(data_dir, seed=seed)
        return Split(*train).to(device), Split(*val).to(device)
    images, labels = mnist.load_all(data_dir)
    held_out = _held_out_writers(seed) if split == "writers" else torch.zeros_like(labels).bool()
    train, val = (Split(images[mask], labels[mask]) for mask in (~held_out, held_out))
    return train.to(device), val.to(device)


def _held_out_writers(seed: int) -> Tensor:
    """Return which of MNIST's 60,000 images are by the writers to validate on: (60,000,) bool.

    Source of the writers: QMNIST (C. Yadav, L. Bottou, "Cold Case: The Lost MNIST Digits", 2019).
    """
    with np.load(WRITERS_FILE) as file:
        writers = torch.from_numpy(file["train"].astype(np.int64))
    return writers.unique(return_inverse=True)[1] % VAL_FOLDS == seed % VAL_FOLDS


def load_test(data_dir: str | Path, *, device: torch.device | str = "cpu") -> Split:
    """Return the 10,000 test images. Use them for reporting only, never to choose anything.

    Raises:
        DataError: the files are damaged, or missing and cannot be downloaded.
    """
    _ensure(data_dir, mnist.TEST)
    return Split(*mnist.load_test(data_dir)).to(device)


def fetch(data_dir: str | Path) -> None:
    """Put MNIST's files into data_dir/MNIST/raw, uncompressed and verified, as torchvision does.

    Files that are in data_dir in another form are unpacked. If one is missing, torchvision
    downloads MNIST to a temporary folder, from which complete files are moved.

    Raises:
        DataError: a file is damaged, or cannot be downloaded or written.
    """
    raw = Path(data_dir, "MNIST", "raw")
    missing = [name for name in SHA256 if not (raw / name).is_file()]
    for name in SHA256.keys() - missing:
        mnist.read(data_dir, name)
    if not missing:
        return  # without writing, since the folder may be read-only
    try:
        raw.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=data_dir, prefix=".download-") as temporary:
            if not _has(data_dir, missing):
                _download(temporary)
            for name in missing:
                place = data_dir if mnist.find(data_dir, name) else temporary
                whole = Path(temporary, name)
                whole.write_bytes(mnist.read(place, name))
                whole.replace(raw / name)
    except (OSError, RuntimeError, HTTPException) as error:  # raised by torchvision and urllib
        raise DataError(
            f"MNIST is not in {raw} and could not be downloaded ({type(error).__name__}). "
            f"Put these four files there: {mnist.ACCEPTED}."
        ) from error


def _ensure(data_dir: str | Path, names: Iterable[str]) -> None:
    """Fetch MNIST, unless these files are there in an accepted form."""
    if not _has(data_dir, names):
        fetch(data_dir)


def _has(data_dir: str | Path, names: Iterable[str]) -> bool:
    return all(mnist.find(data_dir, name) for name in names)


def _download(folder: str) -> None:
    with _socket_timeout(TIMEOUT):
        import_torchvision().datasets.MNIST(folder, download=True)


@contextmanager
def _socket_timeout(seconds: float) -> Generator[None]:
    """Set a timeout for new sockets: torchvision sets none and has no option for it."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
