"""Compare this project's training loop with the tutorial's: same network, batches and optimiser.

Run: python -m benchmarks.training [--data-dir data] [--epochs 5] [--seeds 3]

Both train 784 → 32 → 10 with plain SGD in batches of 128 on the same 50,000 images, and validate
on the same 10,000 in batches of 256. The tutorial reads PIL images through a DataLoader with
ToTensor; this project keeps the data as one uint8 tensor. The runs alternate in one process, so
that a slow phase of the machine affects both.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise

import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, random_split

from model.mlp import MLP
from training.data import (
    TRAIN_SIZE,
    VAL_SIZE,
    DataError,
    import_torchvision,
    load_train_val,
)
from training.loop import train
from training.recipe import Recipe

WORKERS = (4, 0)


def train_as_tutorial(data_dir: str, recipe: Recipe, *, workers: int) -> tuple[list[float], float]:
    """Train as the tutorial does; return the seconds of each epoch and the final accuracy."""
    torchvision = import_torchvision()
    torch.manual_seed(recipe.seed)
    to_tensor = torchvision.transforms.ToTensor()
    dataset = torchvision.datasets.MNIST(data_dir, train=True, transform=to_tensor)
    generator = torch.Generator().manual_seed(recipe.seed)
    train_set, val_set = random_split(dataset, [TRAIN_SIZE, VAL_SIZE], generator=generator)
    train_loader = DataLoader(train_set, recipe.batch_size, shuffle=True, num_workers=workers)
    val_loader = DataLoader(val_set, recipe.val_batch_size, num_workers=workers)
    model = MLP(recipe.hidden_sizes)
    optimizer = torch.optim.SGD(model.parameters(), lr=recipe.lr)
    seconds, accuracy = [], 0.0
    for _ in range(recipe.epochs):
        started = time.perf_counter()
        for images, labels in train_loader:
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        with torch.no_grad():
            right = sum((model(x).argmax(1) == y).sum().item() for x, y in val_loader)
        accuracy = right / VAL_SIZE
        seconds.append(time.perf_counter() - started)
    return seconds, accuracy


def train_as_here(data_dir: str, recipe: Recipe) -> tuple[list[float], float]:
    """Train as this project does; return the seconds of each epoch and the final accuracy."""
    train_split, val_split = load_train_val(data_dir, seed=recipe.seed)
    trained = train(recipe, train_split, val_split, progress=False)
    ends = [0.0, *(epoch["seconds"] for epoch in trained.history)]
    seconds = [end - start for start, end in pairwise(ends)]
    return seconds, trained.history[-1]["val_accuracy"]


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", default="data", help="the folder with MNIST (data)")
    parser.add_argument("--epochs", type=int, default=5, help="epochs per run (5)")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds (3)")
    options = parser.parse_args()
    loops: dict[str, Callable[[Recipe], tuple[list[float], float]]] = {
        "ours": lambda recipe: train_as_here(options.data_dir, recipe),
    } | {
        f"{n} workers": lambda recipe, n=n: train_as_tutorial(options.data_dir, recipe, workers=n)
        for n in WORKERS
    }
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    accuracies: dict[str, list[float]] = {name: [] for name in loops}
    print(f"{os.cpu_count()} cores, torch {torch.__version__}, {options.epochs} epochs a run")
    try:
        load_train_val(options.data_dir, seed=0)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for seed in range(options.seeds):
        recipe = Recipe(epochs=options.epochs, seed=seed)
        for name, run in loops.items():
            epochs, accuracy = run(recipe)
            seconds[name] += epochs
            accuracies[name].append(accuracy)
            print(
                f"seed {seed}  {name:10}  {statistics.median(epochs):6.2f} s/epoch  {accuracy:.2%}"
            )
    _report(seconds, accuracies)
    return 0


def _report(seconds: dict[str, list[float]], accuracies: dict[str, list[float]]) -> None:
    print(f"\n{'':12}{'s/epoch':>8}{'min':>7}{'max':>7}{'ratio':>8}   validation: mean and range")
    base = statistics.median(seconds["ours"])
    for name, times in seconds.items():
        median, scores = statistics.median(times), accuracies[name]
        print(
            f"{name:12}{median:8.2f}{min(times):7.2f}{max(times):7.2f}{median / base:8.1f}"
            f"   {statistics.mean(scores):.2%} ({min(scores):.2%} to {max(scores):.2%})"
        )


if __name__ == "__main__":
    sys.exit(main())
