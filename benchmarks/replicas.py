"""Calls per second of one and two replicas behind HAProxy: python -m benchmarks.replicas

One replica is also called directly, which shows the cost of the balancer. Programs call
`run/predict_strokes`, each from an address of its own, and pages send what the drawing page sends
while a stroke is drawn. It needs Linux and HAProxy. Callers, balancer and replicas share this
machine's cores.
"""

import argparse
import itertools
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from benchmarks.browser import ROOT, resident
from benchmarks.cluster import balancer, cluster
from benchmarks.serving.__main__ import Row, machine, prepare, row
from benchmarks.serving.callers import Done, Drawing, caller_pool

ENDPOINT = "predict_strokes"
CALLS = {"API": "run", "page": "page"}  # the name of each kind of call, and how it is sent
DIRECT = "1 replica, called directly"


class Plan(NamedTuple):
    """Durations and repetitions of the measurement."""

    rounds: int = 5
    seconds: float = 3.0  # per round, server, kind of call and number of callers
    callers: int = 8  # at once; one caller alone is measured as well


QUICK = Plan(rounds=1, seconds=0.2, callers=2)
Rows = dict[tuple[str, str, int], Row]  # by server, kind of call and number of callers


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="a short run; its figures are not reliable"
    )
    plan = QUICK if parser.parse_args().quick else Plan()
    print(machine())
    with (
        tempfile.TemporaryDirectory() as folder,
        cluster(2) as two,
        balancer([two.replicas[0].url]) as one,
    ):
        urls = {
            DIRECT: two.replicas[0].url,
            "1 replica behind HAProxy": one,
            "2 replicas behind HAProxy": two.url,
        }
        drawings = prepare(ROOT / "ui" / "draw" / "examples.jsonl", Path(folder))
        rows = measure(urls, drawings, plan)
        for name in urls:
            print_rows(name, rows, plan.callers)
        held = [f"{resident(each.process.pid):.0f} MB" for each in two.replicas]
        print(f"\nresident: {', '.join(held)}")


def measure(urls: dict[str, str], drawings: list[Drawing], plan: Plan) -> Rows:
    """Call each server in turn, in each way, with one and with many callers."""
    slots: dict[tuple[str, str, int], list[list[Done]]] = {}
    with ExitStack() as stack:
        pools = {
            name: stack.enter_context(
                caller_pool(url, drawings, callers=plan.callers, addresses=True)
            )
            for name, url in urls.items()
        }
        for number in range(plan.rounds + 1):  # the first round is a warm-up
            for kind, callers, name in itertools.product(CALLS, (1, plan.callers), pools):
                way = CALLS[kind]
                done = pools[name].run(way, [ENDPOINT], callers=callers, seconds=plan.seconds)
                if number:
                    slots.setdefault((name, kind, callers), []).append(done)
    return {key: row(each, ENDPOINT) for key, each in slots.items()}


def print_rows(name: str, rows: Rows, most: int) -> None:
    """Print calls per second and latencies of one server, with ratios to those of direct calls."""
    print(f"\n{name:28}callers  calls/s      ×   p50 ms     p95      ×")
    for kind, callers in itertools.product(CALLS, (1, most)):
        each, base = rows[name, kind, callers], rows[DIRECT, kind, callers]
        rate = f"{each.rate:9.0f}{each.rate / base.rate:7.2f}"
        times = f"{each.p50:9.1f}{each.p95:8.1f}{each.p95 / base.p95:7.2f}"
        print(f"{kind:28}{callers:7}{rate}{times}")


if __name__ == "__main__":
    main()
