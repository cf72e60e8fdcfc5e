"""Measure the lesson's figures, and write them to lesson/figures.json.

Run: python -m benchmarks.lesson [--data-dir data] [--drawings DRAWINGS.jsonl]
[--only framing ways]

- tutorial: logistic regression at two learning rates, by epoch
- sizes, subset_sizes: one hidden layer of several sizes, trained with the tutorial's recipe on all
  of MNIST and on the shipped part
- linear: a hidden layer without ReLU

These accuracies are on validation images, after the last epoch: the mean, the lowest and the
highest of three seeds. With people's drawings, two more figures are measured:

- ways: networks with 1,024 hidden units, trained on MNIST and on other images
- framing: accuracy of the shipped networks on drawings placed anywhere on the canvas, at each stage
  of lesson/framing.py, and on strokes that are drawn again

With --only, the other figures in the file are kept. Nothing is rejected: the answer is the most
probable digit. Everything runs on one core.
"""

import argparse
import dataclasses
import json
import platform
import shlex
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lesson.data import Digits, load_subset
from lesson.fit import Student, fit_epoch
from lesson.framing import ANEW, stages
from model import Reader
from model.checkpoint import shipped_names, write_json
from model.drawing import parse
from model.mlp import N_CLASSES, N_PIXELS
from model.preprocess import preprocess
from training.__main__ import load_synthetic
from training.data import DataError, Split, load_test, load_train_val
from training.drawings import Drawing, load_drawings
from training.evaluate import describe_machine
from training.loop import train, validate
from training.recipe import PRESETS, Recipe
from training.subset import OUT, SEED
from training.synthetic.canvas import CANVAS, STROKE_WIDTHS, canvas_picture
from ui.lesson.lesson import PEN

SEEDS = (0, 1, 2)
TUTORIAL = Recipe(hidden_sizes=())
RATES = {"slow": 0.001, "fast": TUTORIAL.lr}
SIZES = (0, 8, 16, 32, 64, 128, 256, 512, 1_024)  # 0: logistic regression
SUBSET_SIZES = (8, 16, 32, 64, 128, 256)
SUBSET_EPOCHS = 20
LINEAR_SIZE = 32
LINEAR_RATES = (0.1, TUTORIAL.lr)  # at the tutorial's rate, two linear layers do not converge well
ACCURATE = PRESETS["mlp-1024"]
DISTORTED = Recipe(
    hidden_sizes=ACCURATE.hidden_sizes, epochs=15, batch_size=ACCURATE.batch_size,
    optimizer=ACCURATE.optimizer, lr=ACCURATE.lr, weight_decay=ACCURATE.weight_decay,
    warmup=ACCURATE.warmup, cosine_decay=True, distort=1.0, ema_decay=ACCURATE.ema_decay,
)  # fmt: skip
SYNTHETIC_TOO = dataclasses.replace(DISTORTED, synthetic_digits=0.4)
WAYS = {
    "alone": dataclasses.replace(DISTORTED, distort=0.0),
    "distorted": DISTORTED,
    "synthetic too": SYNTHETIC_TOO,
    "written too": dataclasses.replace(SYNTHETIC_TOO, written_digits=0.4),
}
PART = (0.3, 0.85)  # share of the canvas that the longer side of a drawing takes
N_PLACES = 4  # random positions and sizes of each drawing
DECIMALS = 4  # of shares; one of 10,000 images is 0.0001


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the mean, the lowest and the highest of several shares."""
    three = {"mean": statistics.mean(values), "low": min(values), "high": max(values)}
    return {name: round(value, DECIMALS) for name, value in three.items()}


def tutorial(train_split: Split, val_split: Split) -> dict[str, Any]:
    """Train logistic regression at each learning rate; return its accuracy after each epoch."""
    figures: dict[str, Any] = {"epochs": TUTORIAL.epochs, "batch_size": TUTORIAL.batch_size}
    for name, lr in RATES.items():
        recipe = dataclasses.replace(TUTORIAL, lr=lr)
        runs = [_history(recipe, seed, train_split, val_split) for seed in SEEDS]
        epochs = [spread([e["val_accuracy"] for e in same]) for same in zip(*runs, strict=True)]
        figures[name] = {"lr": lr, **epochs[-1], "by_epoch": epochs}
        print(f"lr {lr:<8}" + "".join(f"{epoch['mean']:9.2%}" for epoch in epochs))
    return figures


def sizes(
    hidden_sizes: Sequence[int], epochs: int, train_split: Split, val_split: Split
) -> dict[str, Any]:
    """Train one hidden layer of each size (0: none) with the tutorial's recipe."""
    figures = {}
    for size in hidden_sizes:
        layers = (size,) if size else ()
        recipe = dataclasses.replace(TUTORIAL, hidden_sizes=layers, epochs=epochs)
        runs = [_history(recipe, seed, train_split, val_split) for seed in SEEDS]
        figures[str(size)] = accuracy = spread([run[-1]["val_accuracy"] for run in runs])
        accuracy["n_parameters"] = n_parameters(size)
        _print_accuracy(f"{size:5} hidden, {n_parameters(size):8,} numbers", accuracy)
    return figures


def n_parameters(hidden_size: int) -> int:
    """Return the number of parameters of 784 → hidden → 10, without an eleventh output."""
    if not hidden_size:
        return (N_PIXELS + 1) * N_CLASSES
    return (N_PIXELS + 1) * hidden_size + (hidden_size + 1) * N_CLASSES


def linear(train_split: Split, val_split: Split) -> dict[str, Any]:
    """Train a hidden layer without ReLU at two learning rates, 0.1 and the tutorial's."""
    figures: dict[str, Any] = {"hidden_size": LINEAR_SIZE}
    for lr in LINEAR_RATES:
        accuracy = spread([_linear_accuracy(lr, seed, train_split, val_split) for seed in SEEDS])
        figures |= {"fast": {"lr": lr, **accuracy}} if lr == TUTORIAL.lr else {"lr": lr, **accuracy}
        _print_accuracy(f"{LINEAR_SIZE:5} hidden, no ReLU, lr {lr}", accuracy)
    return figures


def _linear_accuracy(lr: float, seed: int, train_split: Split, val_split: Split) -> float:
    torch.manual_seed(seed)
    model = Student(LINEAR_SIZE, relu=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(TUTORIAL.epochs):
        for _ in fit_epoch(model, Digits(*train_split), optimizer):
            pass
    return validate(model, val_split)[1]


def ways(
    data_dir: str, drawings: list[Drawing], train_split: Split, val_split: Split
) -> dict[str, Any]:
    """Train a network in each way; return its accuracy on the test set and on drawings."""
    test, labels = load_test(data_dir), _labels(drawings)
    by_pen = {
        pen: _framed(canvas_picture(d["strokes"], pen) for d in drawings) for pen in STROKE_WIDTHS
    }
    figures = {}
    for name, recipe in WAYS.items():
        cache, device = Path(data_dir) / "drawn", torch.device("cpu")
        synthetic = load_synthetic(
            recipe, n_mnist=len(train_split.labels), cache=cache, device=device
        )
        trained = train(recipe, train_split, val_split, synthetic=synthetic, progress=False)
        accuracy = round(validate(trained.model, test)[1], DECIMALS)
        shares = {str(pen): _share(trained.model, x, labels) for pen, x in by_pen.items()}
        percentages = " / ".join(f"{share:.1%}" for share in shares.values())
        print(f"{name:16}test {accuracy:.2%}   drawings {percentages}   {trained.seconds:.0f} s")
        figures[name] = {"test_accuracy": accuracy, "drawings": shares, "recipe": recipe.as_json()}
    return figures


def framing(drawings: list[Drawing]) -> dict[str, dict[str, float]]:
    """Return the accuracy of each network on the drawings, at each stage of preprocessing."""
    rng = np.random.default_rng(SEED)
    pictures = [placed(d["strokes"], rng) for d in drawings for _ in range(N_PLACES)]
    labels = _labels(drawings).repeat_interleave(N_PLACES)
    readers = {name: Reader.load(name, device="cpu") for name in shipped_names()}
    of = {
        same[0].name: [s.image for s in same] for same in zip(*map(stages, pictures), strict=True)
    }
    of[ANEW] = _drawn_anew(drawings, readers[shipped_names()[0]])
    figures = {}
    for name, images in of.items():
        x = torch.from_numpy(np.stack(images)).flatten(1)
        shares = {each: _share(reader.model, x, labels) for each, reader in readers.items()}
        print(f"{name:16}" + "".join(f"  {each} {share:.1%}" for each, share in shares.items()))
        figures[name] = shares
    return figures


def _drawn_anew(drawings: list[Drawing], reader: Reader) -> list[np.ndarray]:
    """Return the network's input for each drawing's strokes, repeated N_PLACES times.

    It does not depend on the position and the size of the strokes.
    """
    seen = [reader.read_strokes(drawing["strokes"]).input for drawing in drawings]
    return [image for image in seen for _ in range(N_PLACES)]


def placed(strokes: list, rng: np.random.Generator) -> np.ndarray:
    """Draw strokes at a random size and position: (280, 280) uint8, black on white."""
    points = np.concatenate([stroke[:, :2] for stroke in parse(strokes)])
    sides = np.ptp(points, axis=0)
    size = CANVAS * rng.uniform(*PART)
    room = (CANVAS - PEN - sides * size / max(sides.max(), 1e-9)) / 2
    x, y = rng.uniform(-room, room)
    return canvas_picture(strokes, PEN, size=size, shift=(x, y))


def _framed(pictures: Any) -> Tensor:
    return torch.from_numpy(np.stack([preprocess(p).image for p in pictures])).flatten(1)


def _labels(drawings: list[Drawing]) -> Tensor:
    return torch.tensor([drawing["digit"] for drawing in drawings])


@torch.inference_mode()
def _share(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    right = model(images).argmax(1) == labels
    return round(right.double().mean().item(), DECIMALS)


def _history(
    recipe: Recipe, seed: int, train_split: Split, val_split: Split
) -> list[dict[str, float]]:
    recipe = dataclasses.replace(recipe, seed=seed)
    return train(recipe, train_split, val_split, progress=False).history


def _print_accuracy(label: str, accuracy: dict[str, float]) -> None:
    print(f"{label:34}{accuracy['mean']:8.2%} ({accuracy['low']:.2%} to {accuracy['high']:.2%})")


def measure(data_dir: str, drawings: list[Drawing] | None) -> dict[str, Any]:
    """Return all figures; shares are in 0..1."""
    splits = load_train_val(data_dir, seed=SEED)
    figures: dict[str, Any] = {
        "seeds": list(SEEDS),
        "tutorial": tutorial(*splits),
        "sizes_epochs": TUTORIAL.epochs,
        "sizes": sizes(SIZES, TUTORIAL.epochs, *splits),
        "subset_epochs": SUBSET_EPOCHS,
        "subset_sizes": sizes(
            SUBSET_SIZES, SUBSET_EPOCHS, *(Split(*part) for part in load_subset())
        ),
        "linear": linear(*splits),
    }
    if drawings:
        writers = len({drawing["writer"] for drawing in drawings})
        figures["drawings"] = {"n": len(drawings), "writers": writers, "places": N_PLACES}
        figures["framing"] = framing(drawings)
        figures["ways_epochs"] = DISTORTED.epochs
        figures["ways"] = ways(data_dir, drawings, *splits)
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--drawings", type=Path, metavar="DRAWINGS.jsonl")
    parser.add_argument(
        "--only", nargs="+", choices=("framing", "ways"), help="measure these, keep the others"
    )
    parser.add_argument("--out", type=Path, default=OUT / "figures.json")
    options = parser.parse_args()
    if options.only and not options.drawings:
        parser.error("--only needs --drawings")
    torch.set_num_threads(1)  # on a busy machine, two threads would wait for each other
    words = ["--drawings", options.drawings.name] if options.drawings else []
    about = {
        "command": shlex.join(["python", "-m", "benchmarks.lesson", *words]),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "machine": describe_machine(),
    }
    try:
        drawings = load_drawings(options.drawings) if options.drawings else None
        if options.only and drawings:
            figures = json.loads(options.out.read_text(encoding="utf-8"))
            if "framing" in options.only:
                figures["framing"] = framing(drawings)
            if "ways" in options.only:
                splits = load_train_val(options.data_dir, seed=SEED)
                figures["ways_epochs"] = DISTORTED.epochs
                figures["ways"] = ways(options.data_dir, drawings, *splits)
        else:
            figures = about | measure(options.data_dir, drawings)
        write_json(options.out, figures)
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
