"""Train one network: the recipe, and the loop that follows it."""

import copy
import dataclasses
import itertools
import math
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from model.mlp import MLP
from training.augment import distort
from training.data import Split


@dataclass(frozen=True)
class Recipe:
    """Everything that decides which weights come out, on one machine.

    The defaults are the tutorial's: one hidden layer of 32, batches of 128 to train on and of
    256 to validate on, plain SGD at a constant rate.
    """

    hidden_sizes: tuple[int, ...] = (32,)
    epochs: int = 5
    batch_size: int = 128
    val_batch_size: int = 256
    optimizer: str = "sgd"  # or "adamw"
    lr: float = 0.5
    weight_decay: float = 0.0
    warmup: float = 0.0  # share of the steps over which the rate rises from 0
    decay: bool = False  # let the rate fall to 0 along a cosine
    distort: float = 0.0  # share of MNIST's images that are distorted
    pens: float = 0.0  # synthetic digits in an epoch, as a share of MNIST's
    outliers: float = 0.0  # synthetic pictures of no digit in an epoch, as a share of MNIST's
    average: float = 0.0  # decay, a step, of the weights' moving average that is kept
    teacher: str = ""  # a checkpoint whose probabilities are learned, not the labels
    seed: int = 42


PRESETS = {
    "logistic": Recipe(
        hidden_sizes=(), epochs=20, optimizer="adamw", lr=2e-3, weight_decay=0.01, decay=True,
        pens=0.25, outliers=0.25,
    ),
    "mlp-32": Recipe(
        hidden_sizes=(32,), epochs=140, batch_size=256, optimizer="adamw", lr=1.5e-2,
        weight_decay=0.1, warmup=0.05, decay=True, distort=0.25, pens=0.8, outliers=0.2,
        average=0.999, teacher="mlp-1024",
    ),
    "mlp-1024": Recipe(
        hidden_sizes=(1024,), epochs=180, batch_size=256, optimizer="adamw", lr=2e-3,
        weight_decay=0.05, warmup=0.05, decay=True, distort=1.0, pens=0.4, outliers=0.7,
        average=0.999,
    ),
}  # fmt: skip
POOL = 60_000  # synthetic digits drawn once, and as many outliers; each epoch takes others of them
VAL_POOL = 5_000
TEACHER_TEMPERATURE = 1.5


class Synthetic(NamedTuple):
    """What was drawn by training/pens.py and training/outliers.py."""

    pens: Split
    outliers: Split
    val_pens: Split
    val_outliers: Split


@dataclass
class Training:
    """What a training has reached: the best weights by validation accuracy, and the way there."""

    model: MLP
    best_epoch: int = 0
    best_val_accuracy: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    interrupted: bool = False
    seconds: float = 0.0


@contextmanager
def float32_matmul_precision(precision: str) -> Generator[None]:
    """Set the precision of matrix products inside a block or function, and restore it after."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@float32_matmul_precision("high")  # TF32 on CUDA; a CPU stays exact
def train(
    recipe: Recipe,
    train_split: Split,
    val_split: Split,
    *,
    synthetic: Synthetic | None = None,
    teacher: MLP | None = None,
    progress: bool = True,
) -> Training:
    """Train an MLP as the recipe says, on the device that holds the splits.

    The splits stay on the device as uint8, and within an epoch nothing is copied from it or to it.
    `synthetic` is required if the recipe asks for pens or outliers, `teacher` if it names one.
    Ctrl-C ends the training early: the result is then the best epoch so far, marked `interrupted`.
    The same recipe gives the same weights, bit for bit, on the same machine and device.
    """
    device = train_split.images.device
    torch.manual_seed(recipe.seed)
    generator = torch.Generator(device).manual_seed(recipe.seed)
    model = MLP(recipe.hidden_sizes).to(device)
    optimizer = _optimizer(model, recipe)
    n = len(train_split.images)
    n_steps = recipe.epochs * math.ceil(n / recipe.batch_size)
    ema = copy.deepcopy(model) if recipe.average else model
    decay = min(recipe.average, max(0.0, 1 - 10 / n_steps))  # a tenth of the training at most
    result = Training(model)
    best, best_score = _snapshot(model), 0.0
    started = time.perf_counter()
    bar = tqdm(total=recipe.epochs * n, unit=" images", unit_scale=True, disable=not progress)
    step = 0
    try:
        for epoch in range(1, recipe.epochs + 1):
            loss_sum = torch.zeros((), device=device)
            for digits, drawn in _epoch(recipe, train_split, synthetic, generator=generator):
                for group in optimizer.param_groups:
                    group["lr"] = recipe.lr * _rate(recipe, step / n_steps)
                images, labels = compose(recipe, digits, drawn, generator=generator)
                loss = training_step(
                    model, optimizer, images, labels,
                    teacher=teacher, outliers=recipe.outliers > 0,
                )  # fmt: skip
                if recipe.average:
                    update_ema(ema, model, decay=decay if step else 0.0)
                loss_sum += loss * len(digits.images)
                step += 1
                bar.update(len(digits.images))
            val_loss, val_accuracy = evaluate(ema, val_split, batch_size=recipe.val_batch_size)
            figures = {
                "epoch": epoch,
                "loss": loss_sum.item() / n,
                "val_loss": val_loss,
                "val_accuracy": val_accuracy,
                "seconds": round(time.perf_counter() - started, 2),
            }
            score = val_accuracy
            if synthetic and recipe.pens:
                figures["pens_accuracy"] = evaluate(ema, synthetic.val_pens)[1]
                score += figures["pens_accuracy"]
            result.history.append(figures)
            bar.set_postfix(loss=f"{figures['loss']:.4f}", val=f"{val_accuracy:.2%}")
            if math.isfinite(val_loss) and score > best_score:
                best_score, best = score, _snapshot(ema)
                result.best_epoch, result.best_val_accuracy = epoch, val_accuracy
    except KeyboardInterrupt:
        result.interrupted = True
    bar.close()
    model.load_state_dict(best)
    if not recipe.outliers:
        model.disable_rejection()
    result.seconds = time.perf_counter() - started
    return result


def training_step(
    model: MLP,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    *,
    teacher: MLP | None,
    outliers: bool,
) -> Tensor:
    """Update the weights on one batch and return its mean loss, on the device.

    `images` is (B, 784) float32 in 0..1; `labels` is (B,) int64, 0..10 with outliers, else 0..9.
    """
    loss = _loss(model, images, labels, teacher=teacher, outliers=outliers)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach()


@torch.no_grad()
def update_ema(ema: MLP, model: MLP, *, decay: float) -> None:
    """Move the exponential moving average of the weights towards the model's weights.

    torch's `AveragedModel` computes the same, but copies its counter of steps from the host to the
    device at every step, for which a GPU has to wait.
    """
    for average, weight in zip(ema.parameters(), model.parameters(), strict=True):
        average.lerp_(weight, 1 - decay)


def compose(
    recipe: Recipe, digits: Split, drawn: Split | None, *, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Return a batch as the network sees it: distorted MNIST digits, then what was drawn for it.

    The images are (B, 784) float32 in 0..1, the labels (B,) int64. The first half of the synthetic
    digits is not distorted, since each was drawn with its own variations.
    """
    images = to_float(digits.images)
    n_distorted = round(recipe.distort * len(images))
    if n_distorted:
        images[:n_distorted] = distort(images[:n_distorted], generator=generator)
    if not drawn:
        return images, digits.labels
    drawn_images = to_float(drawn.images)
    if recipe.distort:
        n_plain = round(recipe.pens * len(digits.images)) // 2
        drawn_images[n_plain:] = distort(drawn_images[n_plain:], generator=generator)
    return torch.cat([images, drawn_images]), torch.cat([digits.labels, drawn.labels])


def _epoch(
    recipe: Recipe, split: Split, synthetic: Synthetic | None, *, generator: torch.Generator
) -> Iterator[tuple[Split, Split | None]]:
    """Yield the batches of one epoch: MNIST's digits, and the pens and outliers that join them.

    The digits are shuffled once an epoch, so that each batch is a view and costs no gathering.
    """
    order = torch.randperm(len(split.images), device=split.images.device, generator=generator)
    shuffled = Split(split.images[order], split.labels[order])
    batches = [Split(*batch) for batch in _batches(shuffled, recipe.batch_size)]
    sizes = [len(batch.images) for batch in batches]
    drawn = _drawn(synthetic, recipe, sizes, generator) if synthetic else []
    return itertools.zip_longest(batches, drawn)


def _drawn(
    synthetic: Synthetic, recipe: Recipe, sizes: Sequence[int], generator: torch.Generator
) -> list[Split]:
    """Return the pens and outliers that join each batch of an epoch.

    `sizes` holds the number of MNIST digits in each batch. The last batch of an epoch is shorter,
    and its share of synthetic images is the same as that of the others.
    """
    parts = []
    for pool, share in ((synthetic.pens, recipe.pens), (synthetic.outliers, recipe.outliers)):
        counts = [round(share * size) for size in sizes]
        n = sum(counts)
        if not n:  # the pool may be empty
            continue
        order = torch.randperm(len(pool.images), device=pool.images.device, generator=generator)
        rows = order.repeat(-(-n // len(order)))[:n]
        parts.append((pool.images[rows].split(counts), pool.labels[rows].split(counts)))
    batches = zip(*(zip(*part, strict=True) for part in parts), strict=True)
    return [Split(*map(torch.cat, zip(*batch, strict=True))) for batch in batches]


def _loss(
    model: MLP, images: Tensor, labels: Tensor, *, teacher: MLP | None, outliers: bool
) -> Tensor:
    """Return the mean cross-entropy in nats, over ten classes or, with outliers, eleven."""
    logits = _logits(model, images, outliers=outliers)
    if teacher is None:
        return F.cross_entropy(logits, labels)
    # Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015.
    with torch.no_grad():
        known = _logits(teacher, images, outliers=outliers)
    targets = (known / TEACHER_TEMPERATURE).softmax(1)
    return F.cross_entropy(logits / TEACHER_TEMPERATURE, targets) * TEACHER_TEMPERATURE**2


def _logits(model: MLP, images: Tensor, *, outliers: bool) -> Tensor:
    traced = model.trace(images)
    if not outliers:
        return traced.logits
    return torch.cat([traced.logits, traced.not_a_digit[:, None]], 1)


@torch.inference_mode()
def evaluate(model: nn.Module, split: Split, *, batch_size: int = 256) -> tuple[float, float]:
    """Return the mean cross-entropy in nats and the accuracy in 0..1."""
    loss = torch.zeros((), device=split.images.device)
    correct = torch.zeros((), device=split.images.device, dtype=torch.int64)
    for images, labels in _batches(split, batch_size):
        logits = model(to_float(images))
        loss += F.cross_entropy(logits, labels, reduction="sum")
        correct += (logits.argmax(1) == labels).sum()
    return loss.item() / len(split.images), correct.item() / len(split.images)


def to_float(images: Tensor) -> Tensor:
    """Return uint8 ink, 0..255, as float32 in 0..1."""
    return images / 255


def as_json(recipe: Recipe) -> dict[str, object]:
    """Return the recipe as plain JSON values."""
    return dataclasses.asdict(recipe) | {"hidden_sizes": list(recipe.hidden_sizes)}


def _batches(split: Split, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    return zip(split.images.split(batch_size), split.labels.split(batch_size), strict=True)


def _optimizer(model: MLP, recipe: Recipe) -> torch.optim.Optimizer:
    kinds = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}
    kind = kinds[recipe.optimizer]
    fused = next(model.parameters()).device.type in ("cpu", "cuda", "mps")
    return kind(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=fused)


def _rate(recipe: Recipe, done: float) -> float:
    """Return the learning rate as a share of its peak when `done` of the steps, 0..1, are."""
    if done < recipe.warmup:
        return done / recipe.warmup
    if not recipe.decay:
        return 1.0
    return 0.5 + 0.5 * math.cos(math.pi * (done - recipe.warmup) / (1 - recipe.warmup))


def _snapshot(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
