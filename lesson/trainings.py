"""The trainings that visitors start: each is a process, a few run at once, the others wait."""

import asyncio
import base64
import itertools
import json
import logging
import os
import re
import subprocess
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors.torch

from lesson.fit import Settings, SettingsError
from model.mlp import MLP
from model.mnist import has_train

ROOT = Path(__file__).parent.parent
# One thread and no GPU, whatever the server uses.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
VISITOR = re.compile(r"[\w-]{1,64}", re.ASCII)
MAX_LINE = 2_000_000  # bytes of a report; the largest network takes 1.1 million
START_SECONDS = 60.0  # for a process to start: usually 3 s, but it has the lowest priority
HANDOVER_SECONDS = 10.0  # for a process to hand over its network: usually 0.1 s
UNEXPECTED = "The training ended unexpectedly. Start it again."
NOT_STARTED = "Stopped before it began: the server is too busy. Start it again in a minute."
NOT_KEPT = "Stopped, but the server was too busy to keep the network. Start it again."

log = logging.getLogger(__name__)


class BusyError(Exception):
    """Too many trainings are waiting; the message says what to do."""


class Training:
    """One training of a visitor.

    Its `state` is "waiting", "starting", "training" or "stopping", and at the end "done",
    "stopped" or "failed".
    """

    numbers = itertools.count(1)

    def __init__(self, settings: Settings, *, max_seconds: float, network: MLP | None) -> None:
        self.number = next(self.numbers)
        self.settings = settings
        self.max_seconds = max_seconds
        self.network = network  # the visitor's previous one, until this training has its own
        self.state = "waiting"
        self.message = ""
        self.report: dict[str, Any] = {"epoch": 0, "loss": [], "val": [], "weights": []}
        self.used = 0.0  # when the visitor last asked for it or for its network
        self.task: asyncio.Task | None = None
        self._reason = ""  # why it was stopped
        self._process: Process | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}

    @property
    def ended(self) -> bool:
        """Whether it is done, stopped or failed."""
        return self.state in ("done", "stopped", "failed")

    async def run(self, slots: asyncio.Semaphore, request: dict[str, Any]) -> None:
        """Wait for a slot, then train in a process."""
        try:
            async with slots:
                self.state = "starting"
                self._call_later("limit", START_SECONDS, self.kill, NOT_STARTED)
                await self._follow(request)
        except OSError as error:
            log.warning("No process for a training: %s", error)
        finally:
            self._end("failed", UNEXPECTED)  # if it has not ended otherwise

    def stop_if_unused(self, seconds: float) -> None:
        """Stop it after so many seconds, unless this method is called again."""
        reason = f": its page was closed or hidden for {seconds:g} s"
        self._call_later("idle", seconds, self.stop, reason)

    def stop(self, reason: str = "") -> None:
        """End it early. If it has begun, the network is kept as far as it is trained."""
        if self.state in ("waiting", "starting"):
            self.kill(f"Stopped before it began{reason}.")
        elif self.state == "training":
            assert self._process is not None
            assert self._process.stdin is not None
            self.state, self._reason = "stopping", reason
            self._process.stdin.close()
            self._call_later("limit", HANDOVER_SECONDS, self.kill, NOT_KEPT)

    def kill(self, message: str) -> None:
        """End it at once, without its network."""
        self._end("stopped", message)
        if self.task:
            self.task.cancel()

    def as_json(self) -> dict[str, Any]:
        """Return what the page shows of it."""
        return self.report | {
            "number": self.number,
            "state": self.state,
            "message": self.message,
            "settings": asdict(self.settings),
            "has_network": self.network is not None,
        }

    async def _follow(self, request: dict[str, Any]) -> None:
        async with worker(request) as process:
            assert process.stdout is not None
            self._process = process
            async for line in process.stdout:
                self._receive(json.loads(line))
                if self.ended:
                    break
        if not self.ended:
            log.warning("A training's process ended with status %s", process.returncode)

    def _receive(self, report: dict[str, Any]) -> None:
        """Take a report of the process; see lesson/worker.py."""
        if "error" in report:
            self._end("failed", report["error"])
            return
        if self.state == "starting":
            self.state = "training"
            seconds = self.max_seconds + HANDOVER_SECONDS
            self._call_later("limit", seconds, self.kill, NOT_KEPT)
        network = report.pop("network", None)
        self.report = report
        if network:
            self.network = load_network(network, self.settings)
            self._end(*self._result())

    def _result(self) -> tuple[str, str]:
        epoch, epochs = self.report["epoch"], self.settings.epochs
        if epoch == epochs:
            return "done", ""
        limit = f": the limit is {self.max_seconds:g} s"
        reason = self._reason if self.state == "stopping" else limit
        return "stopped", f"Stopped after {epoch:.1f} of {epochs} epochs{reason}."

    def _end(self, state: str, message: str) -> None:
        if not self.ended:
            self.state, self.message = state, message
        for timer in self._timers.values():
            timer.cancel()

    def _call_later(self, name: str, seconds: float, function: Callable, argument: str) -> None:
        """Call a function later, instead of what was to be called under this name."""
        if name in self._timers:
            self._timers[name].cancel()
        if not self.ended:
            loop = asyncio.get_running_loop()
            self._timers[name] = loop.call_later(seconds, function, argument)


class Trainings:
    """Train networks for visitors, one at a time for each.

    All methods run on the event loop, except `network`. A visitor is a random name that a tab of
    the browser chooses. `max_running` trainings run at once and `max_waiting` more wait, first
    come, first served. A training ends early after `max_seconds`, or when its visitor has not
    asked for its status for `max_idle_seconds`. The results of the last `max_kept` visitors are
    kept. `data_dir` is a folder with all of MNIST. Trainings that would be over sooner are slowed
    down to `min_seconds`.
    """

    def __init__(
        self,
        *,
        max_running: int = 2,
        max_waiting: int = 8,
        min_seconds: float = 5,
        max_seconds: float = 60,
        max_idle_seconds: float = 10,
        max_kept: int = 32,
        data_dir: str | Path | None = None,
    ) -> None:
        self.max_waiting, self.max_kept = max_waiting, max_kept
        self.min_seconds, self.max_seconds = min_seconds, max_seconds
        self.max_idle_seconds = max_idle_seconds
        self.data_dir = str(data_dir) if data_dir is not None else None
        self._slots = asyncio.Semaphore(max_running)  # first come, first served
        self._trainings: dict[str, Training] = {}  # the newest of each visitor
        self._tasks: set[asyncio.Task] = set()

    async def start(self, visitor: str, settings: Settings) -> dict[str, Any]:
        """Start a training, or queue it, and return its status. It replaces the visitor's last.

        Raises:
            SettingsError: the visitor's name is invalid, or the data is not on this machine.
            BusyError: too many trainings are waiting.
        """
        check_visitor(visitor)
        if settings.data == "mnist" and not (self.data_dir and has_train(self.data_dir)):
            raise SettingsError("Not all of MNIST is on the server: choose the images that ship.")
        last = self._trainings.get(visitor)
        n_waiting = len([each for each in self._waiting() if each is not last])
        if n_waiting >= self.max_waiting:
            raise BusyError(f"{n_waiting} trainings are waiting. Try again in a minute.")
        if last:
            last.kill("A newer training has replaced it.")
        network = last.network if last else None
        training = Training(settings, max_seconds=self.max_seconds, network=network)
        self._trainings[visitor] = training
        training.task = asyncio.create_task(training.run(self._slots, self._request(settings)))
        self._tasks.add(training.task)
        training.task.add_done_callback(self._tasks.discard)
        await asyncio.sleep(0)  # the task takes a slot, if one is free
        status = self.status(visitor)
        self._forget_unused()
        return status

    def status(self, visitor: str) -> dict[str, Any]:
        """Return the status of the visitor's training, and keep it running.

        "state" is "none" if there is no training.

        Raises:
            SettingsError: the visitor's name is invalid.
        """
        check_visitor(visitor)
        training = self._trainings.get(visitor)
        if not training:
            return {"state": "none", "has_network": False}
        training.used = time.monotonic()
        training.stop_if_unused(self.max_idle_seconds)
        waiting = self._waiting()
        n_before = waiting.index(training) if training in waiting else 0
        return training.as_json() | {"n_before": n_before}

    def stop(self, visitor: str) -> dict[str, Any]:
        """Stop the visitor's training, and return its status.

        Raises:
            SettingsError: the visitor's name is invalid.
        """
        check_visitor(visitor)
        if training := self._trainings.get(visitor):
            training.stop()
        return self.status(visitor)

    def network(self, visitor: str) -> MLP | None:
        """Return the visitor's newest network. This method may be called in any thread.

        Raises:
            SettingsError: the visitor's name is invalid.
        """
        check_visitor(visitor)
        training = self._trainings.get(visitor)
        if not training:
            return None
        training.used = time.monotonic()
        return training.network

    async def close(self) -> None:
        """End all trainings and their processes at once."""
        for training in self._trainings.values():
            training.kill("The server has stopped.")
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _waiting(self) -> list[Training]:
        """Return the trainings that wait for a slot, in the order in which they get one."""
        waiting = [each for each in self._trainings.values() if each.state == "waiting"]
        return sorted(waiting, key=lambda training: training.number)

    def _request(self, settings: Settings) -> dict[str, Any]:
        return {
            "settings": asdict(settings),
            "data_dir": self.data_dir,
            "min_seconds": self.min_seconds,
            "max_seconds": self.max_seconds,
        }

    def _forget_unused(self) -> None:
        """Keep `max_kept` results: those with a network first, then those used last."""
        ended = [visitor for visitor, training in self._trainings.items() if training.ended]

        def value(visitor: str) -> tuple[bool, float]:
            training = self._trainings[visitor]
            return training.network is not None, training.used

        for visitor in sorted(ended, key=value, reverse=True)[self.max_kept :]:
            del self._trainings[visitor]


@asynccontextmanager
async def worker(request: dict[str, Any]) -> AsyncGenerator[Process]:
    """Run lesson/worker.py with the lowest priority; kill it at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lesson.worker", json.dumps(request),
        cwd=ROOT, env=os.environ | ENVIRONMENT, limit=MAX_LINE,
        start_new_session=True,  # Ctrl-C in a terminal ends the server, which ends this process
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        lower_priority(process.pid)
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def lower_priority(pid: int) -> None:
    """Let all other processes go first."""
    with suppress(OSError):  # a sandbox forbids it, or the process has ended
        if hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, pid, 19)
        if hasattr(os, "SCHED_IDLE"):
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


def load_network(data: str, settings: Settings) -> MLP:
    """Return the network of a report, in eval mode."""
    mlp = MLP((settings.hidden_size,) if settings.relu else ())
    mlp.load_state_dict(safetensors.torch.load(base64.b64decode(data)))
    return mlp.eval().requires_grad_(False)


def check_visitor(visitor: str) -> None:
    """Check the name of a visitor, which the page invents.

    Raises:
        SettingsError: it is not such a name.
    """
    if not isinstance(visitor, str) or not VISITOR.fullmatch(visitor):
        raise SettingsError("The visitor's name must be 1 to 64 letters, digits, - and _.")
