"""MNIST's four original files, as mirrors provide them: found, verified and parsed."""

import gzip
import hashlib
import zlib
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import TensorDataset, random_split

from model.mlp import N_PIXELS

TRAIN_SIZE, VAL_SIZE, TEST_SIZE = 50_000, 10_000, 10_000
# Hashes of the uncompressed files, by torchvision's file names.
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
TRAIN, TEST = tuple(SHA256)[:2], tuple(SHA256)[2:]  # images, then labels
ACCEPTED = (
    f"{', '.join(SHA256)}, each uncompressed or as .gz, with a hyphen or a dot before idx "
    "(train-images.idx3-ubyte)"
)


class DataError(Exception):
    """MNIST's files are missing or damaged."""


def find(data_dir: str | Path, name: str) -> Path | None:
    """Return the path of one of MNIST's files, in data_dir/MNIST/raw or in data_dir itself.

    `name` is one of SHA256. The file may be compressed (.gz), and its name may have a dot before
    "idx". Return None if there is none.
    """
    names = (name, name.replace("-idx", ".idx"))
    for folder in (Path(data_dir, "MNIST", "raw"), Path(data_dir)):
        for each in (*names, *(f"{each}.gz" for each in names)):
            if (folder / each).is_file():
                return folder / each
    return None


def has_train(data_dir: str | Path) -> bool:
    """Return whether MNIST's training files exist and have the correct sizes.

    Their content is not read, so that this is quick: `load_train` verifies it.
    """
    paths = {name: find(data_dir, name) for name in TRAIN}
    return all(path and _size(path) == _expected_size(name) for name, path in paths.items())


def load_train(data_dir: str | Path, *, seed: int) -> tuple[tuple[Tensor, Tensor], ...]:
    """Return images and labels to train on, and images and labels to validate on.

    The 60,000 training images are split into 50,000 and 10,000 by `random_split` with this seed.
    Images are (N, 784) uint8, ink 255 on paper 0; labels are (N,) int64, 0..9.

    Raises:
        DataError: a file is missing or damaged.
    """
    everything = load_all(data_dir)
    generator = torch.Generator().manual_seed(seed)
    parts = random_split(TensorDataset(*everything), [TRAIN_SIZE, VAL_SIZE], generator=generator)
    images, labels = everything
    return tuple((images[part.indices], labels[part.indices]) for part in parts)


def load_all(data_dir: str | Path) -> tuple[Tensor, Tensor]:
    """Return the 60,000 images of the training set, (N, 784) uint8, and their labels, (N,) int64.

    Raises:
        DataError: a file is missing or damaged.
    """
    return _load(data_dir, *TRAIN)


def load_test(data_dir: str | Path) -> tuple[Tensor, Tensor]:
    """Return the 10,000 test images, (N, 784) uint8, and their labels, (N,) int64.

    Raises:
        DataError: a file is missing or damaged.
    """
    return _load(data_dir, *TEST)


def read(data_dir: str | Path, name: str) -> bytes:
    """Return the uncompressed content of one of MNIST's files.

    Raises:
        DataError: it is missing or damaged.
    """
    path = find(data_dir, name)
    if path is None:
        raise DataError(f"{name} is neither in {Path(data_dir, 'MNIST', 'raw')} nor in {data_dir}.")
    expected, most = SHA256[name], _expected_size(name) + 1  # never more, whatever it unpacks to
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(most)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read ({type(error).__name__}: {error}). Delete it, and the next run "
            "downloads it again."
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise DataError(
            f"{path} is not MNIST's: SHA-256 {found[:12]}…, expected {expected[:12]}…. "
            "Delete it, and the next run downloads it again."
        )
    return content


def _load(data_dir: str | Path, images: str, labels: str) -> tuple[Tensor, Tensor]:
    pixels, digits = (_values(read(data_dir, name), name) for name in (images, labels))
    return pixels.reshape(-1, N_PIXELS), digits.long()


def _values(content: bytes, name: str) -> Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=_header_size(name))


def _header_size(name: str) -> int:
    """Return the size of an IDX header: a magic number and each dimension, 4 bytes each."""
    return 16 if "images" in name else 8


def _expected_size(name: str) -> int:
    n = TEST_SIZE if name in TEST else TRAIN_SIZE + VAL_SIZE
    return _header_size(name) + n * (N_PIXELS if "images" in name else 1)


def _size(path: Path) -> int:
    """Return the uncompressed size of a file; a .gz file has it in its last four bytes."""
    size = path.stat().st_size
    if path.suffix != ".gz":
        return size
    with path.open("rb") as file:
        file.seek(max(0, size - 4))
        return int.from_bytes(file.read(), "little")
