"""The visitors' trainings: who waits, the processes that train, and what they have learned."""

import base64
import binascii
import contextlib
import json
import logging
import math
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import safetensors.torch
from safetensors import SafetensorError

from lesson.fit import Settings, SettingsError
from lesson.progress import MAX_POINTS, N_UNITS
from model.mlp import MLP, N_PIXELS, parameter_shapes
from model.mnist import has_train

ROOT = Path(__file__).parent.parent
# One thread and no GPU, however many the server may use.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
VISITOR = re.compile(r"[\w-]{1,64}", re.ASCII)
ENDED = ("done", "stopped", "failed")
# What a worker tells, by kind, with the fields that are used here; see lesson/progress.py.
KINDS: dict[str, set[str]] = {
    "started": set(),
    "progress": {"epoch", "step", "n_steps", "seconds", "loss", "val", "scales", "weights"},
    "done": {"seconds", "cpu_seconds", "val_accuracy", "model"},
    "failed": {"message"},
}
MAX_LINE = 2_000_000  # bytes; the network with 256 hidden units has 1.1 million
TICK, IDLE_TICK = 0.1, 60.0  # s between two rounds, with and without trainings under way
HANDOVER_SECONDS = 2.0  # for a training that is ended early to hand over what it has learned
CLOSE_SECONDS = 2.0
LAST_WORDS = 500  # bytes of what a process said that ended unexpectedly, for the log
START_SECONDS = 60.0  # for a process to begin: 3 s, but everybody else's work goes first

log = logging.getLogger(__name__)


class BusyError(Exception):
    """Too many wait already; the message says what to do."""


class HandoverError(ValueError):
    """A worker wrote something that no worker writes."""


@dataclass(eq=False)
class Training:
    """One visitor's training, as far as it has come."""

    visitor: str
    settings: Settings
    looked: float  # when the visitor last asked for it; all times are time.monotonic()'s, in s
    state: str = "waiting"
    message: str = ""
    process: subprocess.Popen | None = None
    end_at: float = math.inf  # when it has had all its time
    kill_at: float = math.inf
    reason: str = ""  # why it ends early
    figures: dict[str, float] = field(default_factory=dict)
    loss: list[list[float]] = field(default_factory=list)  # [epoch, loss]
    val: list[list[float]] = field(default_factory=list)  # [epoch, loss, accuracy]
    weights: str = ""
    scales: list[float] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED

    @property
    def epoch(self) -> float:
        """How far it has come, in epochs."""
        return self.figures.get("epoch", 0.0)

    def end(self, reason: str, *, now: float) -> None:
        """End early: with what was learned so far, if anything was and there is time to."""
        if self.ended or self.reason:
            return
        self.reason = reason
        if self.state != "training":
            self.drop(f"{reason} before it began.")
            return
        self.kill_at = now + HANDOVER_SECONDS
        self._send(b"stop\n")

    def drop(self, message: str, *, state: str = "stopped") -> None:
        """End at once, without a network."""
        if not self.ended:
            self.state, self.message = state, message
        self.kill()

    def kill(self) -> None:
        """End the process, if there is one."""
        if self.process:
            self.process.kill()

    def lost(self) -> None:
        """Say why it has ended, now that its process is gone and handed nothing over."""
        if self.reason:
            self.drop(f"{self.reason}, and nothing of it could be kept. Start it again.")
        self.drop("The training ended unexpectedly. Start it again.", state="failed")

    def take(self, told: dict[str, Any]) -> None:
        """Take a line of its worker that was parsed: "started", "progress" or "failed"."""
        if self.ended:
            return
        if told["kind"] == "started":
            self.state = "training"
        elif told["kind"] == "progress":
            self._progress(told)
        elif told["kind"] == "failed":
            self.drop(_text(told["message"])[:200], state="failed")

    def done(self, told: dict[str, Any]) -> None:
        """Take the end of the training, whose network is kept."""
        self.figures |= _figures(told, "seconds", "cpu_seconds", "val_accuracy")
        self.state = "done"
        if self.epoch < self.settings.epochs:
            self.state = "stopped"
            self.message = f"{self.reason} after {self.epoch:.1f} of {self.settings.epochs} epochs."

    def as_json(self, *, place: int, since_loss: int, since_val: int, since_step: int) -> dict:
        """Return all of it, or of what grows only what is new."""
        weights_are_new = self.ended or self.figures.get("step", -1) > since_step
        return {
            "state": self.state,
            "place": place,
            "message": self.message or _waiting(place),
            "settings": asdict(self.settings),
            "epoch": self.epoch,
            "epochs": self.settings.epochs,
            "step": self.figures.get("step", 0),
            "loss": self.loss[max(0, since_loss) :],
            "val": self.val[max(0, since_val) :],
            "weights": self.weights if weights_are_new else None,
            "scales": self.scales if weights_are_new else None,
            "seconds": self.figures.get("seconds", 0.0),
            "cpu_seconds": self.figures.get("cpu_seconds"),
            "val_accuracy": self.val[-1][2] if self.val else None,
        }

    def _progress(self, told: dict[str, Any]) -> None:
        self.figures |= _figures(told, "epoch", "step", "n_steps", "seconds")
        for curve, points, width in ((self.loss, told["loss"], 2), (self.val, told["val"], 3)):
            curve += _points(points, width)
            if len(curve) > MAX_POINTS:
                raise HandoverError("a curve has too many points")
        n_units = min(self.settings.hidden_size, N_UNITS)
        scales, weights = _numbers(told["scales"], n_units), _text(told["weights"])
        if len(weights) != 4 * math.ceil(n_units * N_PIXELS / 3):
            raise HandoverError(f"weights are {len(weights)} characters")
        self.scales, self.weights = scales, weights

    def _send(self, line: bytes) -> None:
        with contextlib.suppress(OSError, ValueError):  # it has ended just now
            if self.process and self.process.stdin:
                self.process.stdin.write(line)
                self.process.stdin.flush()


class Trainings:
    """Train for many visitors, a few at a time; every call returns at once, from any thread.

    A visitor is a name of at most 64 letters, digits, - and _ that the page makes up, and has one
    training at a time. A training ends early, with what it has learned, when `max_seconds` are
    over or its visitor has not looked for `patience` s. The networks of the last `kept` visitors
    are kept until they were not used for `kept_seconds`. `data_dir` is where all of MNIST lies.
    A training that would be over at once is spread over `least_seconds`, to be watched.
    """

    def __init__(
        self,
        *,
        most_running: int = 2,
        most_waiting: int = 8,
        max_seconds: float = 60,
        least_seconds: float = 5,
        patience: float = 10,
        kept: int = 32,
        kept_seconds: float = 1800,
        data_dir: str | Path | None = None,
    ) -> None:
        self.most_running, self.most_waiting = most_running, most_waiting
        self.max_seconds, self.least_seconds = max_seconds, least_seconds
        self.patience, self.kept, self.kept_seconds = patience, kept, kept_seconds
        self.data_dir = str(data_dir) if data_dir is not None else None
        self._changed = threading.Condition()
        self._newest: dict[str, Training] = {}  # of each visitor
        self._waiting: list[Training] = []  # first come, first served
        self._running: dict[Training, threading.Thread] = {}  # until the process is gone
        self._networks: dict[str, tuple[float, MLP]] = {}  # when it was last used
        self._keeper: threading.Thread | None = None
        self._closed = False

    def start(self, visitor: str, settings: Settings) -> dict[str, Any]:
        """Start a training, or let it wait for its turn; it ends the visitor's older one.

        Raises:
            SettingsError: the visitor's name is none, or the data is not on this machine.
            BusyError: too many wait already.
        """
        _check_visitor(visitor)
        if settings.data == "mnist" and not (self.data_dir and has_train(self.data_dir)):
            raise SettingsError("Not all of MNIST is on the server: choose the images that ship.")
        with self._changed:
            self._make_room(visitor)
            training = Training(visitor, settings, time.monotonic())
            self._newest[visitor] = training
            self._waiting.append(training)
            self._promote()
            self._watch()
            return self._look(training)

    def look(
        self, visitor: str, since_loss: int = 0, since_val: int = 0, since_step: int = -1
    ) -> dict[str, Any]:
        """Return how the visitor's training stands, which keeps it alive.

        Of the curves it holds the points from the given ones on; of the weights, while training,
        those of a later step than `since_step`, else None. "state" is "none" where there is none.

        Raises:
            SettingsError: the visitor's name is none, or a point no whole number.
        """
        _check_visitor(visitor)
        since = {"since_loss": since_loss, "since_val": since_val, "since_step": since_step}
        for name, value in since.items():
            if not isinstance(value, int) or isinstance(value, bool):
                raise SettingsError(f"{name} is {value!r:.40}; give a whole number.")
        with self._changed:
            training = self._newest.get(visitor)
            return self._look(training, **since) if training else {"state": "none"}

    def stop(self, visitor: str) -> dict[str, Any]:
        """End the visitor's training with what it has learned; look for when it has.

        Raises:
            SettingsError: the visitor's name is none.
        """
        _check_visitor(visitor)
        with self._changed:
            training = self._newest.get(visitor)
            if training:
                self._end(training, "Stopped")
        return self.look(visitor)

    def network(self, visitor: str) -> MLP | None:
        """Return the newest network that a training of this visitor has made.

        Raises:
            SettingsError: the visitor's name is none.
        """
        _check_visitor(visitor)
        with self._changed:
            kept = self._networks.pop(visitor, None)
            if not kept:
                return None
            self._networks[visitor] = time.monotonic(), kept[1]
            return kept[1]

    def close(self) -> None:
        """End everything at once, and wait until the processes are gone, 2 s at most."""
        with self._changed:
            self._closed = True
            for training in (*self._waiting, *self._running):
                training.drop("The server has stopped.")
            self._waiting.clear()
            threads = [*self._running.values()]
            self._changed.notify_all()
        deadline = time.monotonic() + CLOSE_SECONDS
        for thread in threads:
            thread.join(max(0, deadline - time.monotonic()))

    def _look(self, training: Training, **since: int) -> dict[str, Any]:
        training.looked = time.monotonic()
        place = self._waiting.index(training) + 1 if training in self._waiting else 0
        return training.as_json(
            place=place, **{"since_loss": 0, "since_val": 0, "since_step": -1} | since
        )

    def _make_room(self, visitor: str) -> None:
        """End the visitor's older training, unless there is no place for a newer one."""
        if self._closed:
            raise BusyError("The server is stopping. Try again in a minute.")
        older = self._newest.get(visitor)
        others = [training for training in self._waiting if training is not older]
        if len(others) >= self.most_waiting:
            raise BusyError(f"{len(others)} trainings wait already. Try again in a minute.")
        self._waiting = others
        if older:
            older.drop("A newer training has taken its place.")

    def _promote(self) -> None:
        """Give a process to those whose turn it is."""
        while self._waiting and len(self._running) < self.most_running and not self._closed:
            training = self._waiting.pop(0)
            training.state = "starting"
            training.end_at = time.monotonic() + START_SECONDS
            thread = threading.Thread(target=self._run, args=(training,), daemon=True)
            self._running[training] = thread
            thread.start()

    def _watch(self) -> None:
        if not self._keeper:
            self._keeper = threading.Thread(target=self._keep, daemon=True)
            self._keeper.start()
        self._changed.notify_all()

    def _keep(self) -> None:
        with self._changed:
            while not self._closed:
                try:
                    self._tend(time.monotonic())
                except Exception:  # the next round may do better; without it nothing is bounded
                    log.exception("Tending the trainings failed")
                busy = self._waiting or self._running
                self._changed.wait(TICK if busy else min(IDLE_TICK, self.kept_seconds))

    def _tend(self, now: float) -> None:
        """End what has had its time, and forget what nobody uses any more."""
        for training in (*self._waiting, *self._running):
            if now > training.looked + self.patience:
                self._end(training, f"Ended ({self.patience:g} s without a look)")
            elif now > training.end_at:
                started = training.state != "starting"
                limit = f"the limit is {self.max_seconds:g} s"
                self._end(training, f"Ended ({limit if started else 'the machine is too busy'})")
            if now > training.kill_at:
                training.kill()
        networks = {visitor: (True, used) for visitor, (used, _) in self._networks.items()}
        for visitor in self._unused(networks, now):
            del self._networks[visitor]
        # What never began has nothing to show: it must not push out what has.
        ended = {v: (bool(t.val), t.looked) for v, t in self._newest.items() if t.ended}
        for visitor in self._unused(ended, now):
            del self._newest[visitor]

    def _unused(self, used: Mapping[str, tuple[bool, float]], now: float) -> list[str]:
        """Return the visitors that are to be forgotten, by what each has and was last seen."""
        best = sorted(used, key=lambda visitor: used[visitor], reverse=True)
        old = [visitor for visitor in best if now > used[visitor][1] + self.kept_seconds]
        return list({*best[self.kept :], *old})

    def _end(self, training: Training, reason: str) -> None:
        training.end(reason, now=time.monotonic())
        if training.ended and training in self._waiting:
            self._waiting.remove(training)

    def _run(self, training: Training) -> None:
        """See one training through, in a thread of its own."""
        try:
            with tempfile.TemporaryFile() as said, self._open(said) as process:
                with self._changed:
                    training.process = process
                    if training.ended:
                        process.kill()
                self._follow(training, process)
                _report(training, said)
        except (OSError, HandoverError) as error:
            if not training.ended:
                log.warning("A training failed: %s: %.200s", type(error).__name__, error)
        finally:
            self._leave(training)

    def _leave(self, training: Training) -> None:
        """Give the place to the next, now that the process is gone."""
        with self._changed:
            training.lost()
            del self._running[training]
            self._promote()
            self._changed.notify_all()

    def _open(self, said: BinaryIO) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "lesson.worker"],
            cwd=ROOT, env=os.environ | ENVIRONMENT, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
        )  # fmt: skip

    def _follow(self, training: Training, process: subprocess.Popen) -> None:
        """Ask for the training and take what the worker tells, until it has ended."""
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(self._request(training.settings))
            process.stdin.flush()
            while line := process.stdout.readline(MAX_LINE):
                told = parse_line(line)
                network = load_network(told, training.settings) if told["kind"] == "done" else None
                with self._changed:
                    self._take(training, told, network)
        finally:
            process.kill()  # it has nothing more to say

    def _take(self, training: Training, told: dict[str, Any], network: MLP | None) -> None:
        if network is None:
            training.take(told)
            if told["kind"] == "started":
                training.end_at = time.monotonic() + self.max_seconds
        elif not training.ended:
            training.done(told)
            self._networks.pop(training.visitor, None)
            self._networks[training.visitor] = time.monotonic(), network

    def _request(self, settings: Settings) -> bytes:
        request: dict[str, Any] = {"settings": asdict(settings), "data_dir": self.data_dir}
        request |= {"least_seconds": self.least_seconds, "most_seconds": self.max_seconds}
        return json.dumps(request).encode() + b"\n"


def parse_line(line: bytes) -> dict[str, Any]:
    """Return what a line of a worker tells: an object of one of KINDS, with all its fields.

    Raises:
        HandoverError: it is something else.
    """
    try:
        told = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise HandoverError(f"a line is not JSON: {error}") from error
    kind = told.get("kind") if isinstance(told, dict) else None
    fields = KINDS.get(kind) if isinstance(kind, str) else None
    if fields is None:
        raise HandoverError(f"expected a line of kind {', '.join(KINDS)}, found {told!r:.80}")
    if missing := fields - told.keys():
        raise HandoverError(f"a line of kind {kind} lacks {', '.join(sorted(missing))}")
    return told


def load_network(told: dict[str, Any], settings: Settings) -> MLP:
    """Return the network that a worker hands over, in eval mode.

    Raises:
        HandoverError: it is damaged, or not the one that these settings make.
    """
    mlp = MLP((settings.hidden_size,) if settings.relu else ())
    try:
        data = base64.b64decode(_text(told["model"]), validate=True)
        state = safetensors.torch.load(data)
    except (binascii.Error, SafetensorError) as error:
        raise HandoverError(f"the network cannot be read: {error}") from error
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    if shapes != parameter_shapes(mlp.hidden_sizes):
        raise HandoverError(f"the network's shapes are {shapes!r:.200}")
    if not all(tensor.isfinite().all() for tensor in state.values()):
        raise HandoverError("a weight is not finite")
    mlp.load_state_dict(state)
    return mlp.eval().requires_grad_(False)


def _report(training: Training, said: BinaryIO) -> None:
    """Log the end of what a process wrote to stderr, unless its training ended as it should."""
    if training.reason or (training.ended and training.state != "failed"):
        return
    said.seek(max(0, said.seek(0, os.SEEK_END) - LAST_WORDS))
    words = said.read().decode(errors="replace").strip()
    if words or not training.ended:
        log.warning("A training failed: %s", words or "its process ended without a word")


def _check_visitor(visitor: str) -> None:
    if not isinstance(visitor, str) or not VISITOR.fullmatch(visitor):
        raise SettingsError("The visitor's name must be 1 to 64 letters, digits, - and _.")


def _waiting(place: int) -> str:
    return f"Waiting for a free place: {place - 1} before you." if place else ""


def _figures(told: dict[str, Any], *names: str) -> dict[str, float]:
    return dict(zip(names, _numbers([told[name] for name in names], len(names)), strict=True))


def _numbers(values: Any, n: int) -> list[float]:
    """Return values that must be n finite numbers."""
    fits = isinstance(values, list) and len(values) == n
    if not fits or not all(type(v) in (int, float) and math.isfinite(v) for v in values):
        raise HandoverError(f"expected {n} numbers, got {values!r:.80}")
    return values


def _points(values: Any, width: int) -> list[list[float]]:
    """Return values that must be points of a curve, each of so many numbers."""
    if not isinstance(values, list):
        raise HandoverError(f"expected a list of points, got {values!r:.80}")
    return [_numbers(point, width) for point in values]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise HandoverError(f"expected text, got {value!r:.80}")
    return value
