"""Measure the seconds per epoch of one process and of several, for a plain and a distilled recipe.

Run: python -m benchmarks.processes [--data-dir data] [--epochs 3] [--processes 1 2]

The plain recipe is the tutorial's, 784 → 32 → 10. The distilled one is that of the preset mlp-1024.
The processes divide the cores. The speed does not depend on what the networks have learned, nor on
what the images show: the teachers are untrained, and MNIST's images stand in for drawn ones.
"""

import argparse
import os
import statistics
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import torch

from model.mlp import MLP
from training.data import Split, SyntheticData, load_train_val
from training.distributed import pick_local_device, process_group, rank
from training.loop import train
from training.recipe import OUTLIER_POOL, POOL, PRESETS, VAL_POOL, Recipe
from training.synthetic.outliers import NOT_A_DIGIT

RECIPES = {"plain": Recipe(), "distilled": PRESETS["mlp-1024"]}
TEACHER_SIZES = PRESETS["member"].hidden_sizes


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data-dir", default="data", help="the folder with MNIST (data)")
    add("--device", default="auto", help="auto (CUDA if available), cpu or cuda")
    add("--epochs", type=int, default=3, help="epochs per run (3)")
    add("--processes", type=int, nargs="+", default=[1, 2], metavar="N", help="numbers (1 2)")
    add("--measure", choices=RECIPES, help=argparse.SUPPRESS)  # in a process of torchrun
    options = parser.parse_args()
    if options.measure:
        measure(RECIPES[options.measure], options)
        return 0
    print(f"{os.cpu_count()} cores, torch {torch.__version__}, {options.epochs} epochs a run")
    print(f"{'recipe':12}{'processes':>10}{'s/epoch':>10}{'min':>8}{'max':>8}", flush=True)
    for name in RECIPES:
        for n in options.processes:
            print(f"{name:12}{n:10}", end="", flush=True)
            _launch(n, ["--measure", name, *sys.argv[1:]])
    return 0


def _launch(n: int, arguments: list[str]) -> None:
    threads = max(1, (os.cpu_count() or 1) // n)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    subprocess.run(
        [*torchrun, "--nproc-per-node", str(n), "-m", "benchmarks.processes", *arguments],
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        check=True,
    )


def measure(recipe: Recipe, options: argparse.Namespace) -> None:
    """Train in this process, one of those that torchrun has started; rank 0 prints the times."""
    device = pick_local_device(options.device)
    train_split, val_split = load_train_val(
        options.data_dir, seed=recipe.seed, split=recipe.split, device=device
    )
    synthetic = SyntheticData(
        *(_copies(train_split, n) for n in (POOL, POOL)),
        _copies(train_split, OUTLIER_POOL, label=NOT_A_DIGIT),
        *(_copies(train_split, VAL_POOL) for _ in range(3)),
    )
    val_split = val_split if len(val_split.labels) else synthetic.val_digits
    teachers = [MLP(TEACHER_SIZES).to(device).requires_grad_(False) for _ in recipe.teachers]
    with process_group(device):
        trained = train(
            replace(recipe, epochs=options.epochs), train_split, val_split,
            synthetic=synthetic, teachers=teachers, progress=False,
        )  # fmt: skip
    if not rank():
        ends = [0.0, *(epoch["seconds"] for epoch in trained.history)]
        seconds = [end - start for start, end in pairwise(ends)]
        print(f"{statistics.median(seconds):10.2f}{min(seconds):8.2f}{max(seconds):8.2f}")


def _copies(split: Split, n: int, *, label: int | None = None) -> Split:
    """Return n of the images, repeated as necessary, with their labels or a fixed one."""
    rows = torch.arange(n, device=split.images.device) % len(split.images)
    labels = split.labels[rows]
    return Split(split.images[rows], labels if label is None else torch.full_like(labels, label))


if __name__ == "__main__":
    sys.exit(main())
