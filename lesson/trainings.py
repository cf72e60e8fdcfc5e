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
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
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
START_SECONDS = 60.0  # for a process to start: usually 3 s, but other processes go first
HANDOVER_SECONDS = 10.0  # for a process to hand over its network: usually 0.1 s
NOT_KEPT = "Stopped, but the server was too busy to keep the network. Start it again."

log = logging.getLogger(__name__)


class BusyError(Exception):
    """Too many trainings are waiting; the message says what to do."""


@dataclass(eq=False)
class Training:
    """One training of a visitor."""

    settings: Settings
    network: MLP | None  # the visitor's previous one, until this training has its own
    number: int = field(default_factory=itertools.count(1).__next__)
    state: str = "waiting"  # then starting, training, stopping; done, stopped or failed
    message: str = ""
    report: dict[str, Any] = field(
        default_factory=lambda: {"epoch": 0, "loss": [], "val": [], "weights": []}
    )
    used: float = field(default_factory=time.monotonic)  # when its page last asked for it, in s
    reason: str = ""  # why it was stopped
    task: asyncio.Task | None = None
    process: Process | None = None
    deadline: asyncio.Timeout | None = None  # for the process

    @property
    def ended(self) -> bool:
        """Whether it is done, stopped or failed."""
        return self.state in ("done", "stopped", "failed")

    def end(self, state: str, message: str = "") -> None:
        """Set the final state, unless it has ended before."""
        if not self.ended:
            self.state, self.message = state, message

    def stop(self, reason: str = "") -> None:
        """End it early. If it has begun, the network is kept as far as it is trained."""
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
        """End it at once, without its network."""
        self.end("stopped", message)
        if self.task:
            self.task.cancel()

    def receive(self, report: dict[str, Any], *, limit: str) -> None:
        """Take a report of the process. `limit` is the reason if it ends early by itself."""
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
        """Return what the page shows of it."""
        return self.report | {
            "number": self.number,
            "state": self.state,
            "message": self.message,
            "settings": asdict(self.settings),
            "has_network": self.network is not None,
        }


class Trainings:
    """Train networks for visitors, one at a time for each.

    A visitor is a random name that a tab of the browser chooses. `max_running` trainings run at
    once and `max_waiting` more wait, first come, first served. A training ends early after
    `max_seconds`, or when its page has not asked for it for `max_idle_seconds`. The results of
    `max_kept` visitors are kept. `data_dir` is a folder with all of MNIST. Trainings that would
    be over sooner are slowed down to `min_seconds`.

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
        """Start a training, or queue it, and return its status. It replaces the visitor's last.

        Raises:
            SettingsError: the visitor's name is invalid, or the data is not on this machine.
            BusyError: too many trainings are waiting.
        """
        check_visitor(visitor)
        if settings.data == "mnist" and not (self.data_dir and has_train(self.data_dir)):
            raise SettingsError("Not all of MNIST is on the server: choose the images that ship.")
        self._stop_idle()
        last = self._trainings.get(visitor)
        n_waiting = len([each for each in self._waiting() if each is not last])
        if n_waiting >= self.max_waiting:
            raise BusyError(f"{n_waiting} trainings are waiting. Try again in a minute.")
        if last:
            last.kill("A newer training has replaced it.")
        training = Training(settings, last.network if last else None)
        self._trainings[visitor] = training
        training.task = asyncio.create_task(self._run(training))
        self._tasks.add(training.task)
        training.task.add_done_callback(self._tasks.discard)
        await asyncio.sleep(0)  # the task takes a slot, if one is free
        self._forget_unused()
        return self.status(visitor)

    def status(self, visitor: str) -> dict[str, Any]:
        """Return the status of the visitor's training, which keeps it running.

        "state" is "none" if there is no training.

        Raises:
            SettingsError: the visitor's name is invalid.
        """
        check_visitor(visitor)
        training = self._trainings.get(visitor)
        if not training:
            return {"state": "none", "has_network": False}
        training.used = time.monotonic()
        self._stop_idle()
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
            log.warning("No process for a training: %s", error)
        finally:
            training.end("failed", "The training ended unexpectedly. Start it again.")

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
            log.warning("A training's process ended with status %s", process.returncode)

    def _stop_idle(self) -> None:
        """Stop the trainings whose pages have not asked for them lately."""
        reason = f": its page was closed or hidden for {self.max_idle_seconds:g} s"
        for training in self._trainings.values():
            if time.monotonic() - training.used > self.max_idle_seconds:
                training.stop(reason)

    def _waiting(self) -> list[Training]:
        """Return the trainings that wait for a slot, in the order in which they get one."""
        waiting = [each for each in self._trainings.values() if each.state == "waiting"]
        return sorted(waiting, key=lambda training: training.number)

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
    """Run lesson/worker.py with the lowest priority. Wait for its end; kill it after an error."""
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
    """Let all other processes go first."""
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
    """Check the name of a visitor, which the page invents.

    Raises:
        SettingsError: it is not such a name.
    """
    if not isinstance(visitor, str) or not VISITOR.fullmatch(visitor):
        raise SettingsError("The visitor's name must be 1 to 64 letters, digits, - and _.")
