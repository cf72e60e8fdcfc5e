"""Draw pools of synthetic images on all cores, and cache them."""

import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch

from model.checkpoint_files import write_whole
from model.mlp import N_PIXELS
from training.data import Split

N_PER_JOB = 500  # images that are drawn from one seed, whatever the number of processes

# Part of the name of every cached file. Raise it with each change that makes other images of the
# same seed: in this package, in rendering and preprocessing in model/, or of N_PER_JOB. A test
# compares the images with those of this version.
VERSION = 3


def load_pool(
    draw: Callable[[tuple[int, int]], tuple[np.ndarray, np.ndarray]],
    name: str,
    n: int,
    *,
    seed: int,
    cache: Path,
) -> Split:
    """Return n images and labels from the cache folder, or draw and cache them.

    `draw` makes N_PER_JOB images and labels from a seed. A cached file is identified by VERSION,
    `name`, n and the seed. Files of other versions are not read; they may be deleted at any time.
    """
    if not n:
        return Split(torch.empty((0, N_PIXELS), dtype=torch.uint8), torch.empty(0).long())
    path = cache / f"{name}-v{VERSION}-{n}-{seed}.npz"
    try:
        # Opened here, because np.load leaves a damaged file open.
        with path.open("rb") as stored, np.load(stored) as file:
            images, labels = file["images"], file["labels"]
    except (OSError, ValueError, EOFError, KeyError, BadZipFile):  # missing or damaged
        jobs = [(seed, i) for i in range(-(-n // N_PER_JOB))]
        # A fork of a process with torch's threads may hang.
        with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as executor:
            parts = list(executor.map(draw, jobs))
        images = np.concatenate([images for images, _ in parts])[:n]
        labels = np.concatenate([labels for _, labels in parts])[:n]
        _save(path, images, labels)
    return Split(torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64)))


def _save(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Write the cached file. If that fails, say so: the images are drawn again next time."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez(file, images=images, labels=labels)

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, write)
    except OSError as error:  # for example a read-only folder
        print(f"synthetic images are not cached: {error.strerror}", file=sys.stderr)
