"""One training, told of while it goes: the curves, the hidden weights, and the network at last."""

import base64
import math
import threading
import time
from collections.abc import Iterator
from itertools import chain
from typing import Any

import safetensors.torch
import torch

from lesson.data import Digits
from lesson.fit import BATCH_SIZE, Settings, Student, evaluate, fit_epoch

N_UNITS = 32  # hidden units whose weights are shown while they change
MAX_POINTS = 300  # of the training's loss
REPORT_SECONDS = 0.2
FEW_EPOCHS = 5  # are validated at each quarter


class Diverged(Exception):  # noqa: N818
    """The loss is not finite."""


class Curves:
    """What is to be told of a training, gathered between two reports."""

    def __init__(self, settings: Settings, n_images: int) -> None:
        self.steps_per_epoch = math.ceil(n_images / BATCH_SIZE)
        self.n_steps = settings.epochs * self.steps_per_epoch
        n_vals = settings.epochs * (4 if settings.epochs <= FEW_EPOCHS else 1)
        self.val_steps = {round(i * self.n_steps / n_vals) for i in range(n_vals + 1)}
        self.steps_per_point = math.ceil(self.n_steps / MAX_POINTS)
        self.step, self.val_accuracy = 0, 0.0
        self._sum, self._count = 0.0, 0
        self._loss: list[list[float]] = []
        self._val: list[list[float]] = []

    @property
    def epoch(self) -> float:
        """How much is done, in epochs."""
        return round(self.step / self.steps_per_epoch, 4)

    def add(self, loss: float) -> None:
        """Take the loss of one more step; a point is the mean of some, at where they end."""
        self.step += 1
        self._sum, self._count = self._sum + loss, self._count + 1
        if self._count == self.steps_per_point or self.step == self.n_steps:
            self._loss.append([self.epoch, _finite(self._sum / self._count)])
            self._sum, self._count = 0.0, 0

    def validate(self, model: Student, val: Digits) -> None:
        """Add a point of the validation, as the network is now."""
        loss, self.val_accuracy = evaluate(model, val)
        self._val.append([self.epoch, _finite(loss), self.val_accuracy])

    def take(self) -> dict[str, Any]:
        """Return what is new since the last time."""
        news: dict[str, Any] = {"epoch": self.epoch, "step": self.step, "n_steps": self.n_steps}
        news |= {"loss": self._loss, "val": self._val}
        self._loss, self._val = [], []
        return news


def train(
    settings: Settings,
    train_digits: Digits,
    val_digits: Digits,
    *,
    stop: threading.Event,
    least_seconds: float = 0,
) -> Iterator[dict[str, Any]]:
    """Train, and tell of it: "started", "progress" at most 5 times a second, then "done".

    `least_seconds` spreads a training that would be over at once, so that one can watch it.
    `stop` ends it early. The same settings give the same weights, however long that took.

    Raises:
        Diverged: the loss is not finite.
    """
    torch.manual_seed(settings.seed)
    model = Student(settings.hidden_size, relu=settings.relu)
    optimizer = torch.optim.SGD(model.parameters(), lr=settings.lr)
    curves = Curves(settings, len(train_digits.images))
    pause = least_seconds / curves.n_steps
    started, begun = time.monotonic(), time.process_time()
    yield {"kind": "started", "n_steps": curves.n_steps}
    curves.validate(model, val_digits)
    yield progress(curves, model, seconds=0)
    reported = 0.0
    epochs = (fit_epoch(model, train_digits, optimizer) for _ in range(settings.epochs))
    for loss in chain.from_iterable(epochs):
        curves.add(loss)
        if curves.step in curves.val_steps:
            curves.validate(model, val_digits)
        seconds = time.monotonic() - started
        if seconds - reported >= REPORT_SECONDS:
            reported = seconds
            yield progress(curves, model, seconds=seconds)
        if stop.wait(max(0, curves.step * pause - seconds)):
            break
    if curves.step not in curves.val_steps:
        curves.validate(model, val_digits)
    seconds, busy = time.monotonic() - started, time.process_time() - begun
    yield progress(curves, model, seconds=seconds)
    yield done(model, val_accuracy=curves.val_accuracy, seconds=seconds, cpu_seconds=busy)


def progress(curves: Curves, model: Student, *, seconds: float) -> dict[str, Any]:
    """Tell what is new, with the weights of the first hidden units.

    "weights" is base64 of int8, (units, 784), of each unit 127 at its largest weight by size,
    which stands in "scales".
    """
    weights = model.layer1.weight.detach()[:N_UNITS]
    scales = weights.abs().amax(1)
    whole = (weights / scales.clamp(min=1e-12)[:, None] * 127).round().to(torch.int8)
    told = {
        "weights": _base64(whole.numpy().tobytes()),
        "scales": [_finite(s) for s in scales.tolist()],
    }
    return {"kind": "progress", "seconds": round(seconds, 2)} | curves.take() | told


def done(model: Student, **figures: float) -> dict[str, Any]:
    """Hand the network over: "model" is base64 of the MLP's state_dict as safetensors."""
    mlp = model.to_mlp()
    for parameter in mlp.parameters():
        _finite(parameter.sum().item())
    data = safetensors.torch.save(mlp.state_dict())
    told: dict[str, Any] = {name: round(figure, 4) for name, figure in figures.items()}
    told |= {"model": _base64(data), "hidden_sizes": list(mlp.hidden_sizes)}
    return {"kind": "done"} | told


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise Diverged
    return value


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
