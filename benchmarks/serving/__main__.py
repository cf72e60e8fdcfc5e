"""Time of API calls, compared with echoes: python -m benchmarks.serving [DRAWINGS.jsonl]

An echo (benchmarks/serving/echo.py) has the same input on the same server and does nothing. All
endpoints are called in turn, so that noise affects all equally: by gradio_client, by
`POST run/NAME`, and by `POST call/v2/NAME` with its event stream. The exit status is 1 if a target
was missed.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import gradio
import numpy as np
import torch
from gradio_client import handle_file
from PIL import Image

from benchmarks.browser import ROOT, resident, running
from benchmarks.serving.callers import (
    MODEL,
    WAYS,
    CallerPool,
    Done,
    Drawing,
    by_run,
    caller_pool,
    connect,
    open_connection,
    post,
    upload,
)
from model import Reader
from training.data import load_test
from training.synthetic.canvas import STROKE_WIDTH, canvas_picture

ECHOES = {
    "echo": ("predict", "explain"),
    "echo_strokes": ("predict_strokes", "explain_strokes"),
}  # fmt: skip
ECHO_OF = {name: echo for echo, names in ECHOES.items() for name in (echo, *names)}
WITH_TARGETS = ("predict", "predict_strokes")
LATENCY, THROUGHPUT = 1.3, 0.75  # maximum and minimum ratio to the echo
BATCH_SECONDS, COLD_START, RESIDENT = 1.0, 1.3, 700  # s; ratio to the time of the imports; MB
IMPORTS = "import torch, gradio"


class Plan(NamedTuple):
    """Durations and repetitions of the measurement."""

    callers: int = 16
    rounds: int = 4
    alone: float = 3.0  # s per round in which one caller calls all endpoints in turn
    together: float = 1.2  # s per round in which all callers call one endpoint
    images: int = 10_000  # in a batch
    repeats: int = 5  # of batches and cold starts


QUICK = Plan(callers=2, rounds=1, alone=0.2, together=0.1, images=500, repeats=1)


class Row(NamedTuple):
    """Figures of one endpoint, called in one way by a number of callers."""

    rate: float  # calls a second
    p50: float  # ms
    p95: float
    p99: float


class Target(NamedTuple):
    """A figure and its target."""

    what: str
    got: float
    bound: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.got >= self.bound if self.at_least else self.got <= self.bound


Rows = dict[tuple[str, int, str], Row]  # by way, callers and endpoint


def main() -> int:
    """Print the tables; return 1 if a target was missed."""
    options = parse()
    plan = QUICK if options.quick else Plan()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        drawings = prepare(options.drawings, Path(folder))
        batch = save_batch(Path(folder) / "batch.npy", plan.images, options.data_dir)
        targets = measure(plan, drawings, batch)
        targets.append(cold_starts(plan.repeats, drawings[0]))
    print_targets(targets)
    return int(not all(target.met for target in targets))


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    examples = ROOT / "ui" / "draw" / "examples.jsonl"
    parser.add_argument("drawings", type=Path, nargs="?", default=examples, help="JSON Lines")
    parser.add_argument(
        "--data-dir", help="a folder with MNIST; its test images are used for the batch"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a short run; its figures are not reliable"
    )
    return parser.parse_args()


def machine() -> str:
    """Return a description of the processor and the versions."""
    names = Path("/proc/cpuinfo")
    lines = names.read_text(encoding="utf-8").splitlines() if names.exists() else []
    models = [line.split(": ")[1] for line in lines if line.startswith("model name")]
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    cpu = models[0] if models else platform.machine()
    return f"{cpu}, {os.cpu_count()} cores; {versions}, gradio {gradio.__version__}"


def prepare(path: Path, folder: Path) -> list[Drawing]:
    """Read drawings; save each also as a picture of 280 × 280 px."""
    drawings = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        strokes = json.loads(line)["strokes"]
        picture = folder / f"{number}.png"
        Image.fromarray(canvas_picture(strokes, STROKE_WIDTH)).save(picture)
        drawings.append(Drawing(strokes, picture))
    return drawings


def save_batch(path: Path, count: int, data_dir: str | None) -> Path:
    """Save `count` MNIST test images; without MNIST, the 500 in tests/data, repeated."""
    if data_dir:
        images = load_test(data_dir).images.numpy().reshape(-1, 28, 28)
    else:
        with np.load(ROOT / "tests" / "data" / "mnist-test-500.npz") as file:
            images = file["images"]
    np.save(path, np.resize(images, (count, 28, 28)))
    return path


def measure(plan: Plan, drawings: list[Drawing], batch: Path) -> list[Target]:
    """Measure one server, print the tables, and return the figures with their targets."""
    memory = {}
    with running(command=["-m", "benchmarks.serving.echo"], stdout=subprocess.DEVNULL) as (
        url,
        process,
    ):
        memory["at the start"] = resident(process.pid)
        send = by_run(url, drawings)
        for endpoint in ECHO_OF:
            send(endpoint, 0)
        memory["after a call to each endpoint"] = resident(process.pid)
        with caller_pool(url, drawings, callers=plan.callers) as callers:
            rows = load(plan, callers)
        batches = read_batches(url, batch, plan.repeats)
        memory["after the load"] = resident(process.pid)
    print_rows(rows, plan)
    print_batches(batches, plan)
    print_bare(drawings, rows)
    print_memory(memory)
    targets = call_targets(rows, plan) + batch_targets(batches)
    return [*targets, Target("MB that the server holds", max(memory.values()), RESIDENT)]


def load(plan: Plan, callers: CallerPool) -> Rows:
    """Call every endpoint in every way of WAYS; every second round runs in reverse order."""
    done: dict[tuple[str, int, str], list[list[Done]]] = {}
    orders = [(way, number, names) for way in WAYS for number, names in _orders(plan)]
    for number in range(plan.rounds + 1):
        seconds = (
            (plan.alone, plan.together) if number else (0.1, 0.1)
        )  # the first round is a warm-up
        for way, count, endpoints in orders if number % 2 else orders[::-1]:
            found = callers.run(way, endpoints, callers=count, seconds=seconds[count > 1])
            for endpoint in endpoints if number else ():
                done.setdefault((way, count, endpoint), []).append(found)
    return {key: row(slots, key[2]) for key, slots in done.items()}


def _orders(plan: Plan) -> list[tuple[int, tuple[str, ...]]]:
    """Return (callers, endpoints): one caller for all endpoints, and many for each endpoint."""
    return [(1, tuple(ECHO_OF)), *((plan.callers, (name,)) for name in ECHO_OF)]


def row(slots: Iterable[list[Done]], endpoint: str) -> Row:
    """Summarise the calls of one endpoint in several time slots."""
    times, rates = [], []
    for slot in slots:
        mine = [done.latencies[endpoint] for done in slot]
        # If a caller also called other endpoints, only the time of this one counts.
        alone = any(len(done.latencies) > 1 for done in slot)
        spans = [sum(t) if alone else done.seconds for t, done in zip(mine, slot, strict=True)]
        rates.append(sum(len(t) / span for t, span in zip(mine, spans, strict=True)))
        times += [1000 * t for each in mine for t in each]
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return Row(statistics.median(rates), float(p50), float(p95), float(p99))


def read_batches(url: str, batch: Path, repeats: int) -> dict[str, list[float]]:
    """Return the time of a batch in s, including the upload."""
    client = connect(url)

    def by_client() -> None:
        client.predict(handle_file(batch), MODEL, api_name="/predict_batch")

    def by_http() -> None:
        connection = open_connection(url)
        file = {"path": upload(connection, batch)}
        json.loads(
            post(connection, "run/predict_batch", json.dumps({"data": [file, MODEL]}).encode())
        )
        connection.close()

    times: dict[str, list[float]] = {"gradio_client": [], "run": []}
    for _ in range(repeats):
        times["gradio_client"].append(seconds(by_client))
        times["run"].append(seconds(by_http))
    return times


def seconds(call: Callable[[], object]) -> float:
    """Return the duration of a call in s."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def cold_starts(repeats: int, drawing: Drawing) -> Target:
    """Print the time from the start to the first result, and that of the imports alone."""

    def start() -> None:
        with running(every=0.01, stdout=subprocess.DEVNULL) as (url, _):
            by_run(url, [drawing])("predict_strokes", 0)
            times[-1][0] += time.perf_counter()

    def imports() -> None:
        subprocess.run([sys.executable, "-c", IMPORTS], check=True)

    times: list[list[float]] = []
    for _ in range(repeats):
        times.append([-time.perf_counter()])
        start()
        times[-1].append(seconds(imports))
    first, alone = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"\nfrom the start to the first answer {first:.2f} s; `{IMPORTS}` alone {alone:.2f} s")
    return Target("cold start, times the imports", first / alone, COLD_START)


def call_targets(rows: Rows, plan: Plan) -> list[Target]:
    """Return the ratios of endpoints to their echoes, with targets."""
    targets = []
    for way in WAYS:
        for name in WITH_TARGETS:
            one, echo = rows[way, 1, name], rows[way, 1, ECHO_OF[name]]
            targets.append(Target(f"{name} by {way}, 1: p50", one.p50 / echo.p50, LATENCY))
            many, echo = (rows[way, plan.callers, each] for each in (name, ECHO_OF[name]))
            what = f"{name} by {way}, {plan.callers}: calls"
            targets.append(Target(what, many.rate / echo.rate, THROUGHPUT, at_least=True))
    return targets


def batch_targets(batches: dict[str, list[float]]) -> list[Target]:
    """Return the time of a batch, with its target."""
    return [
        Target(f"s, a batch by {way}", statistics.median(times), BATCH_SECONDS)
        for way, times in batches.items()
    ]


def print_rows(rows: Rows, plan: Plan) -> None:
    """Print a table for one caller and one for many, with ratios to the echo in two columns."""
    for count in (1, plan.callers):
        print(f"\n{f'callers: {count}':32}  calls/s     p50     p95  p99 ms   p50 ×  calls ×")
        for way in WAYS:
            for name in ECHO_OF:
                one, echo = rows[way, count, name], rows[way, count, ECHO_OF[name]]
                figures = f"{one.rate:9.0f}{one.p50:8.1f}{one.p95:8.1f}{one.p99:8.1f}"
                ratios = f"{one.p50 / echo.p50:8.2f}{one.rate / echo.rate:9.2f}"
                print(f"{way:16}{name:16}{figures}{ratios}")


def print_batches(batches: dict[str, list[float]], plan: Plan) -> None:
    """Print the time of a batch."""
    print()
    for way, times in batches.items():
        spread = f"{min(times):.2f} to {max(times):.2f}"
        middle = statistics.median(times)
        print(f"{plan.images:,} images by {way}: {middle:.2f} s ({spread}), upload included")


def print_bare(drawings: list[Drawing], rows: Rows) -> None:
    """Print the time of the same work without a server, and its share of a call."""
    reader = Reader.load(MODEL, device="cpu")
    images = torch.rand(10_000, 784)
    with torch.inference_mode():
        bare = {
            "network, 1 input": middle_of(lambda: reader.model(images[:1]), 200),
            "network, 10,000 inputs": middle_of(lambda: reader.model(images), 5),
        }
    bare["predict"] = middle_of(lambda: [reader.read(d.picture) for d in drawings], 10)
    bare["predict_strokes"] = middle_of(
        lambda: [reader.read_strokes(d.strokes) for d in drawings], 10
    )
    print(f"\n{'without a server':28}      ms  of a call by run")
    for name, taken in bare.items():
        each = taken / len(drawings) if name in WITH_TARGETS else taken
        share = f"{100 * each / rows['run', 1, name].p50:14.0f} %" if name in WITH_TARGETS else ""
        print(f"{name:28}{each:8.3f}{share}")


def middle_of(call: Callable[[], object], repeats: int) -> float:
    """Return the median duration of a call in ms."""
    call()
    return 1000 * statistics.median(seconds(call) for _ in range(repeats))


def print_memory(memory: dict[str, float]) -> None:
    """Print the memory of the server."""
    print()
    for when, held in memory.items():
        print(f"resident {when}: {held:.0f} MB")


def print_targets(targets: list[Target]) -> None:
    """Print each figure with its target and whether it was met."""
    print(f"\n{'target':44}{'wanted':>8}{'got':>8}")
    for target in targets:
        wanted = f"{'≥' if target.at_least else '≤'} {target.bound:g}"
        print(f"{target.what:44}{wanted:>8}{target.got:8.2f}  {'met' if target.met else 'MISSED'}")


if __name__ == "__main__":
    sys.exit(main())
