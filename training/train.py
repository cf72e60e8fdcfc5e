"""Train one network: the recipe, and the loop that follows it."""

import dataclasses
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor
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
    distort: float = 0.0  # share of each batch that is distorted
    seed: int = 42


PRESETS = {
    "logistic": Recipe(
        hidden_sizes=(), epochs=20, optimizer="adamw", lr=2e-3, weight_decay=0.01, decay=True
    ),
    "mlp-32": Recipe(
        hidden_sizes=(32,), epochs=30, batch_size=256, optimizer="adamw", lr=1.5e-2,
        weight_decay=0.1, warmup=0.05, decay=True, distort=0.25,
    ),
    "mlp-1024": Recipe(
        hidden_sizes=(1024,), epochs=60, batch_size=256, optimizer="adamw", lr=2e-3,
        weight_decay=0.05, warmup=0.05, decay=True, distort=1.0,
    ),
}  # fmt: skip


@dataclass
class Training:
    """What a training has reached: the best weights by validation accuracy, and the way there."""

    model: MLP
    best_epoch: int = 0
    best_val_accuracy: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    interrupted: bool = False
    seconds: float = 0.0


def train(
    recipe: Recipe,
    train_split: Split,
    val_split: Split,
    *,
    progress: bool = True,
) -> Training:
    """Train an MLP as the recipe says, on the device that the splits are on.

    The splits stay on the device as uint8, and nothing is copied from or to it within an epoch.
    Ctrl-C ends the training early: the result is then the best epoch so far, `interrupted`.
    The same recipe gives the same weights, bit for bit, on the same machine.
    """
    device = train_split.images.device
    torch.manual_seed(recipe.seed)
    generator = torch.Generator(device).manual_seed(recipe.seed)
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")  # TF32 where CUDA has it; a CPU stays exact
    model = MLP(recipe.hidden_sizes).to(device)
    optimizer = _optimizer(model, recipe)
    n = len(train_split.images)
    n_steps = recipe.epochs * math.ceil(n / recipe.batch_size)
    result = Training(model)
    best = _snapshot(model)
    started = time.perf_counter()
    bar = tqdm(total=recipe.epochs * n, unit=" images", unit_scale=True, disable=not progress)
    step = 0
    try:
        for epoch in range(1, recipe.epochs + 1):
            order = torch.randperm(n, device=device, generator=generator)
            loss_sum = torch.zeros((), device=device)
            # Shuffled once an epoch, so that each batch is a view and costs no gathering.
            shuffled = Split(train_split.images[order], train_split.labels[order])
            for batch, labels in _batches(shuffled, recipe.batch_size):
                for group in optimizer.param_groups:
                    group["lr"] = recipe.lr * _rate(recipe, step / n_steps)
                images = to_float(batch)
                n_distorted = round(recipe.distort * len(images))
                if n_distorted:
                    images[:n_distorted] = distort(images[:n_distorted], generator=generator)
                loss = F.cross_entropy(model(images), labels)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                loss_sum += loss.detach() * len(batch)
                step += 1
                bar.update(len(batch))
            val_loss, val_accuracy = evaluate(model, val_split, batch_size=recipe.val_batch_size)
            figures = {
                "epoch": epoch,
                "loss": loss_sum.item() / n,
                "val_loss": val_loss,
                "val_accuracy": val_accuracy,
                "seconds": round(time.perf_counter() - started, 2),
            }
            result.history.append(figures)
            bar.set_postfix(loss=f"{figures['loss']:.4f}", val=f"{val_accuracy:.2%}")
            if math.isfinite(val_loss) and val_accuracy > result.best_val_accuracy:
                result.best_epoch, result.best_val_accuracy = epoch, val_accuracy
                best = _snapshot(model)
    except KeyboardInterrupt:
        result.interrupted = True
    bar.close()
    torch.set_float32_matmul_precision(precision)
    model.load_state_dict(best)
    result.seconds = time.perf_counter() - started
    return result


@torch.inference_mode()
def evaluate(model: MLP, split: Split, *, batch_size: int = 256) -> tuple[float, float]:
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
    return kind(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)


def _rate(recipe: Recipe, done: float) -> float:
    """Return the learning rate as a share of its peak when `done` of the steps, 0..1, are."""
    if done < recipe.warmup:
        return done / recipe.warmup
    if not recipe.decay:
        return 1.0
    return 0.5 + 0.5 * math.cos(math.pi * (done - recipe.warmup) / (1 - recipe.warmup))


def _snapshot(model: MLP) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
