"""One training in a process of its own: `python -m lesson.worker`, asked on stdin, told on stdout.

The first line of stdin is JSON: {"settings", "data_dir", "least_seconds", "most_seconds"}. A line
`stop` ends the training early, with what was learned so far. The end of stdin ends the process:
whoever asked is gone, however that came. Each line of stdout is JSON, as `lesson.progress.train`
tells it; of a training that diverges the last is {"kind": "failed", "message"}.
"""

import contextlib
import json
import math
import os
import signal
import sys
import threading
from typing import Any

SPARE_SECONDS = 10  # of the processor, beyond what a training may take, before it is killed
DIVERGED = "The loss is not a number any more: the learning rate is too large. Try a smaller one."
DAMAGED = "MNIST's files on the server are damaged: choose the images that ship."


def main() -> None:
    """Do what the first line of stdin asks for."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends without a traceback
    request = json.loads(sys.stdin.readline())
    stand_back(math.ceil(request["most_seconds"]) + SPARE_SECONDS)
    stop = threading.Event()
    threading.Thread(target=listen, args=(stop,), daemon=True).start()
    train(request, stop=stop)


def stand_back(cpu_seconds: int) -> None:
    """Let everybody else's work go first, and bound the processor's time."""
    with contextlib.suppress(OSError):  # where a sandbox forbids it, we are no worse than others
        if hasattr(os, "nice"):
            os.nice(19)
        if hasattr(os, "SCHED_IDLE"):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if sys.platform != "win32":
        import resource

        with contextlib.suppress(OSError, ValueError):  # a lower limit is there already
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))


def listen(stop: threading.Event) -> None:
    """Wait for `stop`, and for the end of stdin, which ends the process at once."""
    for line in sys.stdin:
        if line.strip() == "stop":
            stop.set()
    os._exit(1)


def train(request: dict[str, Any], *, stop: threading.Event) -> None:
    """Train as asked, and tell of it."""
    # Torch takes 2 s of the processor to import: the process stands back and listens before.
    import torch

    from lesson import data, fit, progress
    from model.mnist import DataError

    torch.set_num_threads(1)
    settings = fit.parse_settings(request["settings"])
    whole = settings.data == "mnist"
    try:
        digits = data.load_mnist(request["data_dir"]) if whole else data.load_subset()
        for told in progress.train(
            settings, *digits, stop=stop, least_seconds=request["least_seconds"]
        ):
            tell(told)
    except progress.Diverged:
        tell({"kind": "failed", "message": DIVERGED})
    except DataError as error:
        print(error, file=sys.stderr)  # names the file, which is no visitor's business
        tell({"kind": "failed", "message": DAMAGED})


def tell(told: dict[str, Any]) -> None:
    """Write one line of JSON."""
    print(json.dumps(told, allow_nan=False), flush=True)


if __name__ == "__main__":
    main()
    os._exit(0)  # torch takes half a second to leave, which the next in the queue waits for
