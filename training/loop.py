"""Train one network: the training loop."""

import copy
import itertools
import math
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from model.mlp import MLP
from training.augment import apply_distortion, draw_distortion
from training.data import Split, SyntheticData, to_float
from training.distributed import broadcast, local_rows, mean_over_processes, rank, world_size
from training.recipe import LABEL_WEIGHT, TEACHER_TEMPERATURE, Recipe
from training.state import SAVE_SECONDS, load_state, save_state


@dataclass
class TrainingResult:
    """The kept weights, and the history of all epochs.

    Those of the epoch with the highest sum of validation accuracies are kept; with `split="all"`,
    the last ones.
    """

    model: MLP
    best_epoch: int = 0
    best_val_accuracy: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    interrupted: bool = False
    seconds: float = 0.0

    def progress(self) -> dict[str, Any]:
        """Return the fields that a state keeps."""
        names = ("best_epoch", "best_val_accuracy", "history", "seconds")
        return {name: getattr(self, name) for name in names}


class TrainedLogits(nn.Module):
    """A network whose output is what is trained: ten logits, or eleven with outliers.

    DistributedDataParallel needs this as a forward pass.
    """

    def __init__(self, model: MLP, *, outliers: bool) -> None:
        super().__init__()
        self.model, self.outliers = model, outliers

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, (B, 10) or (B, 11), of images, (B, 784) float32 in 0..1."""
        trace = self.model.trace(images)
        if not self.outliers:
            return trace.logits
        return torch.cat([trace.logits, trace.not_a_digit[:, None]], 1)


@contextmanager
def float32_matmul_precision(precision: str) -> Generator[None]:
    """Set the precision of matrix products in a block or function, and restore it afterwards."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@float32_matmul_precision("high")  # TF32 on CUDA; no effect on a CPU
def train(
    recipe: Recipe,
    train_split: Split,
    val_split: Split,
    *,
    synthetic: SyntheticData | None = None,
    teachers: Sequence[MLP] = (),
    progress: bool = True,
    state_file: Path | None = None,
    save_seconds: float = SAVE_SECONDS,
    resume: bool = False,
) -> TrainingResult:
    """Train an MLP with a recipe, on the device of the splits.

    The splits stay on the device as uint8. Within an epoch, nothing is copied to it or from it.
    `synthetic` is required if the recipe has synthetic images, `teachers` if it names any. Ctrl-C
    ends the run early: the result is what would be kept so far, marked `interrupted`.
    The same recipe gives the same weights, bit for bit, on the same machine and device.

    The state is written to `state_file` at the end of an epoch, if the last write was at least
    `save_seconds` ago. With `resume`, the training continues from that file, if it exists.

    In a process group, each process trains on its rows of every batch. Only rank 0 validates and
    writes the state; the results of the others are void. Ctrl-C raises KeyboardInterrupt.

    Raises:
        StateError: the state is damaged, or belongs to another training.
    """
    device = train_split.images.device
    outliers = recipe.outliers > 0
    torch.manual_seed(recipe.seed)
    generator = torch.Generator(device).manual_seed(recipe.seed)
    model = MLP(recipe.hidden_sizes).to(device)
    student = _student(model, outliers=outliers)
    instructors = [TrainedLogits(teacher, outliers=outliers) for teacher in teachers]
    optimizer = _optimizer(model, recipe)
    n = len(train_split.images)
    steps_per_epoch = math.ceil(n / recipe.batch_size)
    n_steps = recipe.epochs * steps_per_epoch
    ema = copy.deepcopy(model) if recipe.ema_decay else model
    # A short run averages over at most a tenth of its steps.
    ema_decay = min(recipe.ema_decay, max(0.0, 1 - 10 / n_steps))
    result = TrainingResult(model)
    best, best_score = _copy_state(model), 0.0
    parts = {"model": model, "ema": ema, "optimizer": optimizer}
    state = None
    if resume and state_file:
        state = broadcast(None if rank() else load_state(state_file, recipe, device))
    if state:
        for name, part in parts.items():
            part.load_state_dict(state["parts"][name])
        generator.set_state(state["generator"])
        best, best_score = state["best"], state["best_score"]
        result = TrainingResult(model, **state["result"])
    n_done = len(result.history)  # epochs
    step = n_done * steps_per_epoch
    saved = time.perf_counter()
    started = saved - result.seconds
    bar = tqdm(
        total=recipe.epochs * n, initial=n_done * n,
        unit=" images", unit_scale=True, disable=not progress or rank() > 0,
    )  # fmt: skip
    try:
        for epoch in range(n_done + 1, recipe.epochs + 1):
            loss_sum = torch.zeros((), device=device)
            for digits, drawn in _epoch(recipe, train_split, synthetic, generator=generator):
                for group in optimizer.param_groups:
                    group["lr"] = recipe.lr * _lr_factor(recipe, step / n_steps)
                images, labels = compose_batch(
                    recipe, digits, drawn, generator=generator, rows=local_rows()
                )
                teacher = instructors[step % len(instructors)] if instructors else None
                batch_size = len(digits.images) + (len(drawn.images) if drawn else 0)
                loss = training_step(
                    student, optimizer, images, labels,
                    teacher=teacher, divisor=batch_size / world_size(),
                )  # fmt: skip
                if recipe.ema_decay:
                    update_ema(ema, model, decay=ema_decay if step else 0.0)
                loss_sum += loss * len(digits.images)
                step += 1
                bar.update(len(digits.images))
            train_loss = mean_over_processes(loss_sum).item() / n
            if rank():
                continue
            figures, score = _validate_epoch(recipe, ema, val_split, synthetic)
            val_accuracy, result.seconds = figures["val_accuracy"], time.perf_counter() - started
            entry = {"epoch": epoch, "loss": train_loss, **figures}
            result.history.append(entry | {"seconds": round(result.seconds, 2)})
            # No image of MNIST is left to choose an epoch by, so the last is kept, if it is finite.
            if score > best_score or (recipe.split == "all" and score):
                best_score, best = score, _copy_state(ema)
                result.best_epoch, result.best_val_accuracy = epoch, val_accuracy
            bar.set_postfix(loss=f"{train_loss:.4f}", val=f"{val_accuracy:.2%}")
            if state_file and epoch < recipe.epochs and time.perf_counter() - saved >= save_seconds:
                state = {
                    "parts": {name: part.state_dict() for name, part in parts.items()},
                    "generator": generator.get_state(),
                    "result": result.progress(),
                    "best": best,
                    "best_score": best_score,
                }
                save_state(state_file, state, recipe, device)
                saved = time.perf_counter()
    except KeyboardInterrupt:
        if world_size() > 1:
            raise
        result.interrupted = True
    bar.close()
    model.load_state_dict(best)
    if not outliers:
        model.disable_rejection()
    result.seconds = time.perf_counter() - started
    return result


def training_step(
    student: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    *,
    teacher: nn.Module | None = None,
    divisor: float | None = None,
) -> Tensor:
    """Update the weights on one batch and return its mean loss, on the device.

    `images` is (B, 784) float32 in 0..1; `labels` is (B,) int64, 0..10 with outliers, else 0..9.
    `student` and `teacher` are TrainedLogits. The sum of the losses is divided by `divisor`, by
    default B. With P processes it is the size of the whole batch / P, because DDP averages the
    gradients of processes that may have different numbers of images.
    """
    loss = _loss(student, images, labels, teacher=teacher, divisor=divisor or len(images))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach()


@torch.no_grad()
def update_ema(ema: MLP, model: MLP, *, decay: float) -> None:
    """Move the exponential moving average of the weights towards the model's weights.

    torch's `AveragedModel` computes the same, but copies its step counter to the device at every
    step, and a GPU has to wait for that.
    """
    for mean, weight in zip(ema.parameters(), model.parameters(), strict=True):
        mean.lerp_(weight, 1 - decay)


def compose_batch(
    recipe: Recipe,
    digits: Split,
    drawn: Split | None,
    *,
    generator: torch.Generator | None,
    rows: slice = slice(None),
) -> tuple[Tensor, Tensor]:
    """Return the images and labels of a batch: MNIST's digits, then the synthetic images.

    The images are (B, 784) float32 in 0..1, the labels (B,) int64. The recipe's share of MNIST's
    digits is distorted. If it is above 0, all synthetic images are distorted except for every other
    digit, since these already vary.

    `rows` are those of one process: of MNIST's digits, and of the plain and of the distorted
    synthetic images. Distortions are drawn for all rows, so that all generators stay the same.
    """
    device = digits.images.device
    images, labels = to_float(digits.images[rows]), digits.labels[rows]
    n_distorted = round(recipe.distort * len(digits.images))
    if n_distorted:
        distortion = draw_distortion(n_distorted, device=device, generator=generator).select(rows)
        n = len(range(n_distorted)[rows])
        images[:n] = apply_distortion(distortion, images[:n])
    if not drawn:
        return images, labels
    shares = recipe.synthetic_digits, recipe.written_digits
    n_digits = sum(round(share * len(digits.images)) for share in shares)
    plain, distorted = _drawn_rows(recipe, n_digits, len(drawn.images), device)
    mine = distorted[rows].contiguous()
    kept = torch.cat([plain[rows], mine]).sort().values
    drawn_images = to_float(drawn.images[kept])
    if len(distorted):
        distortion = draw_distortion(len(distorted), device=device, generator=generator).select(
            rows
        )
        places = torch.searchsorted(kept, mine)
        drawn_images[places] = apply_distortion(distortion, drawn_images[places])
    return torch.cat([images, drawn_images]), torch.cat([labels, drawn.labels[kept]])


def _drawn_rows(
    recipe: Recipe, n_digits: int, n: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return which of n synthetic images stay plain, and which are distorted.

    They are indices, since a GPU has to wait for a mask.
    """
    every = torch.arange(n, device=device)
    if not recipe.distort:
        return every, every[:0]
    return every[:n_digits:2], torch.cat([every[1:n_digits:2], every[n_digits:]])


def _epoch(
    recipe: Recipe, split: Split, synthetic: SyntheticData | None, *, generator: torch.Generator
) -> Iterator[tuple[Split, Split | None]]:
    """Yield the batches of one epoch: MNIST's digits, and the synthetic images to add to them.

    The digits are shuffled once per epoch, so that each batch is a view instead of a copy.
    """
    order = torch.randperm(len(split.images), device=split.images.device, generator=generator)
    shuffled = Split(split.images[order], split.labels[order])
    batches = [Split(*batch) for batch in _batches(shuffled, recipe.batch_size)]
    sizes = [len(batch.images) for batch in batches]
    drawn = _synthetic_batches(synthetic, recipe, sizes, generator) if synthetic else []
    return itertools.zip_longest(batches, drawn)


def _synthetic_batches(
    synthetic: SyntheticData, recipe: Recipe, sizes: Sequence[int], generator: torch.Generator
) -> list[Split]:
    """Return the synthetic digits and outliers for each batch of an epoch.

    `sizes` holds the number of MNIST digits in each batch. The last batch of an epoch is shorter,
    and its share of synthetic images is the same as that of the others.
    """
    images, labels = [], []  # a list per pool, with one tensor per batch
    for pool, share in (
        (synthetic.digits, recipe.synthetic_digits),
        (synthetic.written_digits, recipe.written_digits),
        (synthetic.outliers, recipe.outliers),
    ):
        counts = [round(share * size) for size in sizes]
        n = sum(counts)
        if not n:  # the pool may be empty
            continue
        order = torch.randperm(len(pool.images), device=pool.images.device, generator=generator)
        rows = order.repeat(-(-n // len(order)))[:n]
        images.append(pool.images[rows].split(counts))
        labels.append(pool.labels[rows].split(counts))
    batches = zip(zip(*images, strict=True), zip(*labels, strict=True), strict=True)
    return [Split(torch.cat(images), torch.cat(labels)) for images, labels in batches]


def _loss(
    student: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    teacher: nn.Module | None,
    divisor: float,
) -> Tensor:
    """Return the cross-entropy in nats, over ten classes, or eleven with outliers: sum / divisor.

    With a teacher, all logits are divided by a temperature, also for the part of the label.
    """
    logits = student(images)
    if teacher:
        # Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015.
        t = TEACHER_TEMPERATURE
        with torch.no_grad():
            probs = (teacher(images) / t).softmax(1)
            targets = torch.lerp(probs, F.one_hot(labels, probs.shape[1]).float(), LABEL_WEIGHT)
        return F.cross_entropy(logits / t, targets, reduction="sum") / divisor * t**2
    return F.cross_entropy(logits, labels, reduction="sum") / divisor


@torch.inference_mode()
def validate(model: nn.Module, split: Split, *, batch_size: int = 256) -> tuple[float, float]:
    """Return the mean cross-entropy in nats and the accuracy in 0..1."""
    loss = torch.zeros((), device=split.images.device)
    correct = torch.zeros((), device=split.images.device, dtype=torch.int64)
    for images, labels in _batches(split, batch_size):
        logits = model(to_float(images))
        loss += F.cross_entropy(logits, labels, reduction="sum")
        correct += (logits.argmax(1) == labels).sum()
    return loss.item() / len(split.images), correct.item() / len(split.images)


def _validate_epoch(
    recipe: Recipe, model: MLP, val_split: Split, synthetic: SyntheticData | None
) -> tuple[dict[str, float], float]:
    """Return the validation figures after an epoch, and the score that selects the best epoch.

    The score is the sum of the accuracies, and 0 if the loss is not finite.
    """
    val_loss, val_accuracy = validate(model, val_split, batch_size=recipe.val_batch_size)
    figures, score = {"val_loss": val_loss, "val_accuracy": val_accuracy}, val_accuracy
    if synthetic and recipe.synthetic_digits:
        _, accuracy = validate(model, synthetic.val_digits)
        figures["synthetic_digits_accuracy"] = accuracy
        score += accuracy
    if synthetic and recipe.written_digits and recipe.split != "all":  # else `val_split` has them
        _, accuracy = validate(model, synthetic.val_written_digits)
        figures["written_digits_accuracy"] = accuracy
        score += accuracy
    return figures, score if math.isfinite(val_loss) else 0.0


def _batches(split: Split, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    return zip(split.images.split(batch_size), split.labels.split(batch_size), strict=True)


def _student(model: MLP, *, outliers: bool) -> nn.Module:
    """Return a model as TrainedLogits, wrapped by DDP in a process group."""
    # DDP expects a gradient of each parameter. Without outliers, the rejection head has none.
    model.not_a_digit.requires_grad_(outliers)
    student = TrainedLogits(model, outliers=outliers)
    if world_size() == 1:
        return student
    device = next(model.parameters()).device
    devices = [device] if device.type == "cuda" else None
    return DistributedDataParallel(student, devices, gradient_as_bucket_view=True)


def _optimizer(model: MLP, recipe: Recipe) -> torch.optim.Optimizer:
    kinds = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}
    kind = kinds[recipe.optimizer]
    fused = next(model.parameters()).device.type in ("cpu", "cuda", "mps")
    return kind(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=fused)


def _lr_factor(recipe: Recipe, progress: float) -> float:
    """Return the learning rate relative to its peak, after a share `progress` of the steps."""
    if progress < recipe.warmup:
        return progress / recipe.warmup
    if not recipe.cosine_decay:
        return 1.0
    return 0.5 + 0.5 * math.cos(math.pi * (progress - recipe.warmup) / (1 - recipe.warmup))


def _copy_state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
