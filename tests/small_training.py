"""Train on small data, in one process or in several: python -m tests.small_training OUT RECIPE

RECIPE is JSON with the changed fields of a Recipe. Rank 0 saves the weights to OUT.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from model.mlp import MLP
from training.data import Split, SyntheticData
from training.distributed import pick_local_device, process_group, rank
from training.loop import train
from training.recipe import Recipe

DATA = Path(__file__).parent / "data"
OUTLIER = 10  # the label


def random_split(n: int, *, seed: int, label: int | None = None) -> Split:
    """Return images of noise with a random or a fixed label."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (n, 784), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 10, (n,), generator=generator)
    return Split(images, labels if label is None else torch.full((n,), label))


def synthetic_data() -> SyntheticData:
    """Return noise in place of drawn images."""
    digits, outliers = random_split(211, seed=1), random_split(211, seed=2, label=OUTLIER)
    return SyntheticData(digits, digits, outliers, digits, digits, outliers)


def mnist_splits() -> tuple[Split, Split]:
    """Return 403 images to train on, and 97 to validate on."""
    with np.load(DATA / "mnist-test-500.npz") as file:
        images = torch.from_numpy(file["images"].reshape(-1, 784))
        labels = torch.from_numpy(file["labels"].astype(np.int64))
    return Split(images[:403], labels[:403]), Split(images[403:], labels[403:])


def make_teachers(n: int) -> list[MLP]:
    """Return untrained teachers."""
    torch.manual_seed(5)
    return [MLP((8,)).requires_grad_(False) for _ in range(n)]


def main(out: str, changes: str) -> None:
    """Train, and save the weights."""
    recipe = Recipe(**json.loads(changes))
    teachers = make_teachers(len(recipe.teachers))
    with process_group(pick_local_device("cpu")):
        trained = train(
            recipe, *mnist_splits(), synthetic=synthetic_data(), teachers=teachers, progress=False
        )
    if not rank():
        result = {"loss": trained.history[-1]["loss"], "weights": trained.model.state_dict()}
        torch.save(result, Path(out))


if __name__ == "__main__":
    main(*sys.argv[1:])
