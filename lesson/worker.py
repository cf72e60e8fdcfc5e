"""The process of one training run: `python -m lesson.worker REQUEST`.

REQUEST is JSON: {"settings", "data_dir", "min_seconds", "max_seconds"}. Each line of stdout is a
JSON object, a report as `train` yields it, or {"error": message}. When stdin is closed, because
the run was stopped or the server has ended, the run ends early.
"""

import base64
import json
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import Any

import safetensors.torch
import torch

from lesson.data import Digits, load_mnist, load_subset
from lesson.fit import BATCH_SIZE, Settings, Student, evaluate, fit_epoch, parse_settings
from model.mnist import DataError

N_UNITS = 32  # hidden units whose weights are reported
MAX_POINTS = 300  # of the curve of the training loss
REPORT_SECONDS = 0.2
FEW_EPOCHS = 5  # up to which the network is validated four times per epoch
DIVERGED = (
    "The loss is no longer a finite number: the learning rate is too large. Try a smaller one."
)
DAMAGED = "MNIST's files on the server are damaged: choose the included images."


class DivergedError(ArithmeticError):
    """The loss or a weight is not finite."""


class Curves:
    """The loss and accuracy of a training run so far."""

    def __init__(self, settings: Settings, n_images: int) -> None:
        self.steps_per_epoch = math.ceil(n_images / BATCH_SIZE)
        self.n_steps = settings.epochs * self.steps_per_epoch
        n_vals = settings.epochs * (4 if settings.epochs <= FEW_EPOCHS else 1)
        self.val_steps = {round(i * self.n_steps / n_vals) for i in range(n_vals + 1)}
        self.steps_per_point = math.ceil(self.n_steps / MAX_POINTS)
        self.step = 0
        self.loss: list[list[float]] = []  # [epoch, mean loss of the last steps]
        self.val: list[list[float]] = []  # [epoch, loss, accuracy]
        self._losses: list[float] = []  # since the last point

    @property
    def epoch(self) -> float:
        """The number of epochs so far."""
        return round(self.step / self.steps_per_epoch, 4)

    def add(self, loss: float) -> None:
        """Add the loss of one step.

        Raises:
            DivergedError: the loss is not finite.
        """
        self.step += 1
        self._losses.append(finite(loss))
        if len(self._losses) == self.steps_per_point or self.step == self.n_steps:
            self.loss.append([self.epoch, sum(self._losses) / len(self._losses)])
            self._losses = []

    def validate(self, model: Student, val: Digits) -> None:
        """Add a point to the validation curve.

        Raises:
            DivergedError: the loss is not finite.
        """
        loss, accuracy = evaluate(model, val)
        self.val.append([self.epoch, finite(loss), accuracy])


def train(
    settings: Settings,
    train_digits: Digits,
    val_digits: Digits,
    *,
    stop: threading.Event,
    min_seconds: float = 0,
    max_seconds: float = math.inf,
) -> Iterator[dict[str, Any]]:
    """Train, and yield a report at most every REPORT_SECONDS; the last one has the network.

    The run ends early when `stop` is set or after `max_seconds`. A run that would take less than
    `min_seconds` is slowed down to take that long, so that visitors can watch it. Neither changes
    the weights after a given number of steps.

    Raises:
        DivergedError: the loss or a weight is not finite.
    """
    torch.manual_seed(settings.seed)
    model = Student(settings.hidden_size, relu=settings.relu)
    optimizer = torch.optim.SGD(model.parameters(), lr=settings.lr)
    curves = Curves(settings, len(train_digits.images))
    curves.validate(model, val_digits)
    yield report(curves, model)
    started = time.monotonic()
    reported = 0.0
    epochs = (fit_epoch(model, train_digits, optimizer) for _ in range(settings.epochs))
    for loss in chain.from_iterable(epochs):
        curves.add(loss)
        if curves.step in curves.val_steps:
            curves.validate(model, val_digits)
        seconds = time.monotonic() - started
        if seconds - reported >= REPORT_SECONDS:
            reported = seconds
            yield report(curves, model)
        pause = curves.step / curves.n_steps * min_seconds - seconds
        if seconds >= max_seconds or stop.wait(max(0, pause)):
            break
    if curves.step not in curves.val_steps:
        curves.validate(model, val_digits)
    yield report(curves, model) | {"network": network(model)}


def report(curves: Curves, model: Student) -> dict[str, Any]:
    """Return the state of the training run, with the weights of the first hidden units.

    Of each unit, "levels" is base64 of 784 int8, and "scale" is the weight that 127 stands for:
    the unit's largest absolute weight.
    """
    weights = model.layer1.weight.detach()[:N_UNITS]
    scales = weights.abs().amax(1)
    levels = (weights / scales.clamp(min=1e-12)[:, None] * 127).round().to(torch.int8)
    return {
        "epoch": curves.epoch,
        "loss": curves.loss,
        "val": curves.val,
        "weights": [
            {"levels": base64.b64encode(row.tobytes()).decode(), "scale": finite(scale)}
            for row, scale in zip(levels.numpy(), scales.tolist(), strict=True)
        ],
    }


def network(model: Student) -> str:
    """Return the state_dict of the trained MLP, as safetensors in base64.

    Raises:
        DivergedError: a weight is not finite.
    """
    state_dict = model.to_mlp().state_dict()
    for tensor in state_dict.values():
        finite(tensor.sum().item())
    return base64.b64encode(safetensors.torch.save(state_dict)).decode()


def finite(value: float) -> float:
    """Return the value, unless it is infinite or NaN."""
    if not math.isfinite(value):
        raise DivergedError
    return value


def main() -> None:
    """Run the requested training, and write its reports to stdout."""
    request = json.loads(sys.argv[1])
    stop = threading.Event()
    threading.Thread(target=wait_for_end_of_stdin, args=(stop,), daemon=True).start()
    torch.set_num_threads(1)  # gives the same weights each time, and leaves cores to the server
    settings = parse_settings(request["settings"])
    limits = {name: request[name] for name in ("min_seconds", "max_seconds")}
    try:
        digits = load_mnist(request["data_dir"]) if settings.data == "mnist" else load_subset()
        for each in train(settings, *digits, stop=stop, **limits):
            write(each)
    except DivergedError:
        write({"error": DIVERGED})
    except DataError as error:
        print(error, file=sys.stderr)  # only for the server's log, because it contains a path
        write({"error": DAMAGED})


def wait_for_end_of_stdin(stop: threading.Event) -> None:
    """Set `stop` when stdin is closed."""
    sys.stdin.buffer.read()
    stop.set()


def write(line: dict[str, Any]) -> None:
    """Write one line of JSON."""
    print(json.dumps(line, allow_nan=False), flush=True)


if __name__ == "__main__":
    with suppress(BrokenPipeError):  # the server has ended
        main()
    os._exit(0)  # skips torch's cleanup, which takes half a second while the next run waits
