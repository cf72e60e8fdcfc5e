"""One training in a process of its own: `python -m lesson.worker`, asked on stdin, told on stdout.

The first line of stdin is JSON: {"settings", "data_dir", "least_seconds", "most_seconds"}. A line
`stop` ends the training early, with what was learned so far. The end of stdin ends the process:
whoever asked is gone, however that came. Each line of stdout is JSON; see `train`.
"""

import base64
import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from itertools import chain
from typing import Any

import safetensors.torch
import torch

from lesson.data import Digits, load_mnist, load_subset
from lesson.fit import BATCH_SIZE, Settings, Student, evaluate, fit_epoch, parse_settings

N_UNITS = 32  # hidden units whose weights are shown while they change
MAX_POINTS = 300  # of the training's loss
REPORT_SECONDS = 0.2
FEW_EPOCHS = 5  # are validated at each quarter
SPARE_SECONDS = 10  # of the processor, beyond what a training may take, before it is killed
DIVERGED = "The loss is not a number any more: the learning rate is too large. Try a smaller one."


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
        news = {"epoch": self.epoch, "step": self.step, "n_steps": self.n_steps}
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
    generator = torch.Generator().manual_seed(settings.seed)
    model = Student(settings.hidden_size, relu=settings.relu)
    optimizer = torch.optim.SGD(model.parameters(), lr=settings.lr)
    curves = Curves(settings, len(train_digits.images))
    pause = least_seconds / curves.n_steps
    started, busy = time.monotonic(), time.process_time()
    yield {"kind": "started", "n_steps": curves.n_steps}
    curves.validate(model, val_digits)
    yield progress(curves, model, seconds=0)
    reported = 0.0
    epochs = (fit_epoch(model, *train_digits, optimizer, generator) for _ in range(settings.epochs))
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
    seconds, busy = time.monotonic() - started, time.process_time() - busy
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
    told = {name: round(figure, 4) for name, figure in figures.items()}
    told |= {"model": _base64(data), "hidden_sizes": list(mlp.hidden_sizes)}
    return {"kind": "done"} | told


def main() -> None:
    """Do what the first line of stdin asks for."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends without a traceback
    request = json.loads(sys.stdin.readline())
    stand_back(math.ceil(request["most_seconds"]) + SPARE_SECONDS)
    stop = threading.Event()
    threading.Thread(target=listen, args=(stop,), daemon=True).start()
    settings = parse_settings(request["settings"])
    whole = settings.data == "mnist"
    digits = load_mnist(request["data_dir"]) if whole else load_subset()
    try:
        for told in train(settings, *digits, stop=stop, least_seconds=request["least_seconds"]):
            tell(told)
    except Diverged:
        tell({"kind": "failed", "message": DIVERGED})


def stand_back(cpu_seconds: int) -> None:
    """Let everybody else's work go first, on one thread, and bound the processor's time."""
    torch.set_num_threads(1)
    if hasattr(os, "nice"):
        os.nice(19)
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))


def listen(stop: threading.Event) -> None:
    """Wait for `stop`, and for the end of stdin, which ends the process at once."""
    for line in sys.stdin:
        if line.strip() == "stop":
            stop.set()
    os._exit(1)


def tell(told: dict[str, Any]) -> None:
    """Write one line of JSON."""
    print(json.dumps(told, allow_nan=False), flush=True)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise Diverged
    return value


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


if __name__ == "__main__":
    main()
    os._exit(0)  # torch takes half a second to leave, which the next in the queue waits for
