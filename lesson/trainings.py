"""The training runs of visitors: each is a process, a few run at a time, the others are queued."""

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
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import safetensors.torch

from lesson.fit import Settings, SettingsError
from model.mlp import MLP
from model.mnist import has_train

ROOT = Path(__file__).parent.parent
# One thread and no GPU, whatever the server uses.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
State = Literal["waiting", "starting", "training", "stopping", "done", "stopped", "failed"]
FINAL_STATES = ("done", "stopped", "failed")
VISITOR = re.compile(r"[\w-]{1,64}", re.ASCII)
MAX_LINE = 2_000_000  # bytes of a report; the largest network takes 1.1 million
START_SECONDS = 60.0  # for a process to start: usually 3 s, but other processes go first
HANDOVER_SECONDS = 10.0  # for a process to hand over its network: usually 0.1 s
NOT_KEPT = "Stopped, but the server was too busy to keep the network. Start it again."

log = logging.getLogger(__name__)


class BusyError(Exception):
    """Too many training runs are queued; the message says what to do."""


@dataclass(eq=False)
class Training:
    """One training run of a visitor."""

    settings: Settings
    network: MLP | None  # the visitor's previous network until this run has produced one
    number: int = field(default_factory=itertools.count(1).__next__)
    state: State = "waiting"
    message: str = ""
    report: dict[str, Any] = field(
        default_factory=lambda: {"epoch": 0, "loss": [], "val": [], "weights": []}
    )
    last_used: float = field(default_factory=time.monotonic)  # the last request for it, in s
    reason: str = ""  # for the stop
    task: asyncio.Task | None = None
    process: Process | None = None
    deadline: asyncio.Timeout | None = None  # for the process

    @property
    def ended(self) -> bool:
        """Whether the run is done, stopped or failed."""
        return self.state in FINAL_STATES

    def end(self, state: State, message: str = "") -> None:
        """Set the final state, unless the run has ended before."""
        if not self.ended:
            self.state, self.message = state, message

    def stop(self, reason: str = "") -> None:
        """End the run early. If it has begun, the network is kept as far as it is trained."""
        if self.state in ("waiting", "starting"):
            self.kill(f"Stopped before it began{reason}.")
        elif self.state == "training":
            assert self.process is not None
            assert self.process.stdin is not None
            self.state, self.reason = "stopping", reason
            self.process.stdin.close()
            if self.deadline and not self.deadline.expired():
                self.deadline.reschedule(asyncio.get_running_loop().time() + HANDOVER_SECONDS)

    def kill(self, message: str) -> None:
        """End the run immediately, without its network."""
        self.end("stopped", message)
        if self.task:
            self.task.cancel()

    def receive(self, report: dict[str, Any], *, limit: str) -> None:
        """Process a report of the worker. `limit` is the reason if the run ends early by itself."""
        if "error" in report:
            self.end("failed", report["error"])
            return
        if self.state == "starting":
            self.state = "training"
        network = report.pop("network", None)
        self.report = report
        if not network:
            return
        self.network = load_network(network, self.settings)
        epoch, epochs = report["epoch"], self.settings.epochs
        if epoch == epochs:
            self.end("done")
        else:
            reason = self.reason if self.state == "stopping" else limit
            self.end("stopped", f"Stopped after {epoch:.1f} of {epochs} epochs{reason}.")

    def as_json(self) -> dict[str, Any]:
        """Return what the page shows of the run."""
        return self.report | {
            "number": self.number,
            "state": self.state,
            "message": self.message,
            "settings": asdict(self.settings),
            "has_network": self.network is not None,
        }


class Trainings:
    """Train networks for visitors, one at a time for each.

    A visitor is identified by an ID that a tab of the browser generates. At most `max_running` runs
    are active and `max_waiting` more are queued, first come, first served. A run ends early after
    `max_seconds`, or when its page has not requested its status for `max_idle_seconds`. The results
    of `max_kept` visitors are kept. `data_dir` is a folder with all of MNIST. Runs that would take
    less than `min_seconds` are slowed down to take that long.

    All methods must be called on the event loop, except `network`.
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
        """Start or queue a training run, and return its status. It replaces the visitor's last run.

        Raises:
            SettingsError: the visitor's ID is invalid, or the data is not on this machine.
            BusyError: too many training runs are queued.
        """
        check_visitor(visitor)
        if settings.data == "mnist" and not (self.data_dir and has_train(self.data_dir)):
            raise SettingsError(
                "The full MNIST data set is not on this server: choose the included images."
            )
        self._stop_idle()
        last = self._trainings.get(visitor)
        n_waiting = len([each for each in self._waiting() if each is not last])
        if n_waiting >= self.max_waiting:
            raise BusyError(f"{n_waiting} training runs are queued. Try again in a minute.")
        if last:
            last.kill("A newer training run has replaced it.")
        training = Training(settings, last.network if last else None)
        self._trainings[visitor] = training
        training.task = asyncio.create_task(self._run(training))
        self._tasks.add(training.task)
        training.task.add_done_callback(self._tasks.discard)
        await asyncio.sleep(0)  # let the task take a slot, if one is free
        self._forget_unused()
        return self.status(visitor)

    def status(self, visitor: str) -> dict[str, Any]:
        """Return the status of the visitor's training run, which keeps it running.

        "state" is "none" if there is no training run.

        Raises:
            SettingsError: the visitor's ID is invalid.
        """
        check_visitor(visitor)
        training = self._trainings.get(visitor)
        if not training:
            return {"state": "none", "has_network": False}
        training.last_used = time.monotonic()
        self._stop_idle()
        waiting = self._waiting()
        n_before = waiting.index(training) if training in waiting else 0
        return training.as_json() | {"n_before": n_before}

    def stop(self, visitor: str) -> dict[str, Any]:
        """Stop the visitor's training run, and return its status.

        Raises:
            SettingsError: the visitor's ID is invalid.
        """
        check_visitor(visitor)
        if training := self._trainings.get(visitor):
            training.stop()
        return self.status(visitor)

    def network(self, visitor: str) -> MLP | None:
        """Return the visitor's newest network. This method may be called in any thread.

        Raises:
            SettingsError: the visitor's ID is invalid.
        """
        check_visitor(visitor)
        training = self._trainings.get(visitor)
        if not training:
            return None
        training.last_used = time.monotonic()
        return training.network

    async def close(self) -> None:
        """End all training runs and their processes immediately."""
        for training in self._trainings.values():
            training.kill("The server has stopped.")
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, training: Training) -> None:
        """Wait for a slot, and train."""
        try:
            async with self._slots:
                self._stop_idle()
                if not training.ended:
                    training.state = "starting"
                    await self._follow(training)
        except TimeoutError:
            training.end("stopped", NOT_KEPT)
        except OSError as error:
            log.warning("Cannot start the training process: %s", error)
        finally:
            training.end("failed", "The training run ended unexpectedly. Start it again.")

    async def _follow(self, training: Training) -> None:
        """Train in a process, and receive its reports."""
        request = {
            "settings": asdict(training.settings),
            "data_dir": self.data_dir,
            "min_seconds": self.min_seconds,
            "max_seconds": self.max_seconds,
        }
        limit = f": the limit is {self.max_seconds:g} s"
        async with (
            asyncio.timeout(self.max_seconds + START_SECONDS) as training.deadline,
            worker(request) as process,
        ):
            assert process.stdout is not None
            training.process = process
            async for line in process.stdout:
                training.receive(json.loads(line), limit=limit)
                self._stop_idle()
        if not training.ended:
            log.warning("A training process ended with status %s", process.returncode)

    def _stop_idle(self) -> None:
        """Stop the runs whose status was not requested for `max_idle_seconds`."""
        reason = f": its page was closed or hidden for {self.max_idle_seconds:g} s"
        for training in self._trainings.values():
            if time.monotonic() - training.last_used > self.max_idle_seconds:
                training.stop(reason)

    def _waiting(self) -> list[Training]:
        """Return the runs that wait for a slot, in the order in which they get one."""
        waiting = [each for each in self._trainings.values() if each.state == "waiting"]
        return sorted(waiting, key=lambda training: training.number)

    def _forget_unused(self) -> None:
        """Keep `max_kept` results: prefer results with a network, then the most recently used."""
        ended = [visitor for visitor, training in self._trainings.items() if training.ended]

        def value(visitor: str) -> tuple[bool, float]:
            training = self._trainings[visitor]
            return training.network is not None, training.last_used

        for visitor in sorted(ended, key=value, reverse=True)[self.max_kept :]:
            del self._trainings[visitor]


@asynccontextmanager
async def worker(request: dict[str, Any]) -> AsyncGenerator[Process]:
    """Run lesson/worker.py with the lowest priority.

    Wait until it exits, and kill it if an error occurs.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lesson.worker", json.dumps(request),
        cwd=ROOT, env=os.environ | ENVIRONMENT, limit=MAX_LINE,
        start_new_session=True,  # Ctrl-C in a terminal ends the server, which ends this process
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        lower_priority(process.pid)
        yield process
        await process.wait()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def lower_priority(pid: int) -> None:
    """Give a process the lowest priority."""
    with suppress(OSError):  # a sandbox forbids it, or the process has ended
        if hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, pid, 19)
        if hasattr(os, "SCHED_IDLE"):
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


def load_network(data: str, settings: Settings) -> MLP:
    """Return the network of a report, in eval mode."""
    hidden_sizes = (settings.hidden_size,) if settings.relu else ()
    return MLP.from_state_dict(hidden_sizes, safetensors.torch.load(base64.b64decode(data)))


def check_visitor(visitor: str) -> None:
    """Check a visitor ID, which is generated by the page.

    Raises:
        SettingsError: the ID is not 1 to 64 letters, digits, - or _.
    """
    if not isinstance(visitor, str) or not VISITOR.fullmatch(visitor):
        raise SettingsError("The visitor's ID must be 1 to 64 letters, digits, - or _.")
