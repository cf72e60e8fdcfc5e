"""Load test of the app: python -m benchmarks.flood [--seconds 60] [--callers 64]

Valid callers compare each response with Reader's result. Slow and hostile callers run at the same
time, and a real Chromium draws on the page. The exit status is 1 if a result was wrong, a rejection
was not as documented, the page was too slow, or the server's memory grew or the server failed.
"""

import argparse
import json
import math
import multiprocessing
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext, suppress
from itertools import cycle
from multiprocessing.connection import Connection

import numpy as np
from playwright.sync_api import Page, TimeoutError

from benchmarks.browser import DEVICES, ROOT, chromium, resident, running
from benchmarks.flood.callers import Report, run_callers
from benchmarks.page import AFTER_THE_PAGE, TIMING, replay, waits

QUIET = 15  # s of drawing on the page without load, before the flood
TIMEOUT = 20_000  # ms until a response to the page counts as lost
SHOWN = 20  # faults of each kind that are printed
SLOWER, GROWTH, ENDING = 5.0, 1.05, 5.0  # limits: ratio of the p95, ratio of memory, s
SETTLED = """() => {
  const last = Math.max(...timing.events);
  return timing.read.some((read) => timing.sent.some((sent) => sent >= last && sent <= read));
}"""


def main() -> int:
    """Print the results of the flood; return 1 if a check failed."""
    options = parse()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        with (
            running(stdout=subprocess.DEVNULL, stderr=log) as (url, server),
            callers(url, options.callers) as pipe,
            page(url) if options.page else nullcontext() as drawn_on,
        ):
            quiet = draw_until(drawn_on, after(min(QUIET, options.seconds))) if drawn_on else []
            memory = Memory(server.pid)
            pipe.send(options.seconds)
            flooded = draw_until(drawn_on, pipe.poll) if drawn_on else []
            report = pipe.recv()
            held = memory.stop()
            pipe.send(0)  # 0 s: each valid caller sends its calls once
            afterwards = pipe.recv()
            ending = end(server)
        log.seek(0)
        failed = [
            *judge_calls(report), *judge_page(quiet, flooded), *judge_memory(held),
            *judge_end(afterwards, ending, server.returncode, log.read()),
        ]  # fmt: skip
    print("\n" + ("\n".join(f"FAILED: {each}" for each in failed) or "all is well"))
    return int(bool(failed))


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="of the flood (60)")
    parser.add_argument("--callers", type=int, default=64, help="at once (64)")
    parser.add_argument("--no-page", dest="page", action="store_false", help="without a browser")
    return parser.parse_args()


@contextmanager
def callers(url: str, count: int) -> Generator[Connection]:
    """Start the process of the callers; wait until it has computed the expected results."""
    spawn = multiprocessing.get_context("spawn")  # a fork would share the parent's open files
    pipe, remote = spawn.Pipe()
    process = spawn.Process(target=run_callers, args=(remote, url, count), daemon=True)
    process.start()
    remote.close()
    pipe.recv()
    yield pipe
    pipe.send(None)
    process.join()


@contextmanager
def page(url: str) -> Generator[Page]:
    """Open the page in a real browser."""
    with chromium() as browser:
        opened = browser.new_context(**DEVICES["desktop"]).new_page()
        opened.add_init_script(TIMING)
        opened.goto(url)
        opened.get_by_test_id("sketchpad").wait_for()
        opened.wait_for_timeout(1500)
        opened.evaluate(AFTER_THE_PAGE)
        draw(opened, next(drawings()))  # warm up: the first responses are slower
        yield opened


def drawings() -> Iterator[list]:
    """Return an endless iterator over the example drawings."""
    lines = (ROOT / "ui" / "draw" / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    return cycle([json.loads(line)["strokes"] for line in lines])


def draw(page: Page, strokes: list) -> list[float]:
    """Draw by mouse; return the latency of each pointer event in ms."""
    page.evaluate("for (const list of Object.values(timing)) list.length = 0")
    replay(page, strokes, touch=False)
    with suppress(TimeoutError):  # events without a response count as infinitely late
        page.wait_for_function(SETTLED, timeout=TIMEOUT)
    found = waits(page.evaluate("timing"))
    page.get_by_test_id("clear").click()
    page.wait_for_timeout(300)
    return found


def draw_until(page: Page, done: Callable[[], bool]) -> list[float]:
    """Draw digits until `done`; return the latency of each pointer event in ms."""
    found: list[float] = []
    ink = drawings()
    while not done():
        found += draw(page, next(ink))
    return found


def after(seconds: float) -> Callable[[], bool]:
    """Return a function that returns whether `seconds` have passed."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() >= until


class Memory:
    """Samples the resident memory of a process once a second."""

    def __init__(self, pid: int) -> None:
        self.held: list[float] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(pid,))
        self._thread.start()

    def _watch(self, pid: int) -> None:
        while not self._stopped.wait(1):
            self.held.append(resident(pid))

    def stop(self) -> list[float]:
        """Stop sampling; return the samples in MB."""
        self._stopped.set()
        self._thread.join()
        return self.held


def end(server: subprocess.Popen) -> float:
    """Terminate the server; return the duration in s."""
    started = time.monotonic()
    server.terminate()
    server.wait(timeout=30)
    return time.monotonic() - started


def judge_calls(report: Report) -> list[str]:
    """Print the statuses of the calls by kind; return failed checks."""
    kinds: dict[str, dict[str, int]] = defaultdict(dict)
    for (kind, status), number in report.calls.items():
        kinds[kind][status] = number
    for kind, statuses in sorted(kinds.items()):
        shown = ", ".join(f"{status}: {statuses[status]:,}" for status in sorted(statuses))
        print(f"{kind:36}{shown}")
    found = {
        "answers to the wrong caller": report.misdirected,
        "wrong answers": report.wrong,
        "rejections not as documented": report.strange,
    }
    print(f"\n{report.right / report.seconds:.0f} right answers a second")
    for what, notes in found.items():
        print(f"{what}: {len(notes)}")
        print("".join(f"    {note}\n" for note in notes[:SHOWN]), end="")
    return [what for what, notes in found.items() if notes]


def judge_page(quiet: list[float], flooded: list[float]) -> list[str]:
    """Print the latency of the page; return failed checks."""
    if not quiet or not flooded:
        return []
    before, during = (np.percentile(times, [50, 95]) for times in (quiet, flooded))
    print(f"\n{'the page, ms':20}{'p50':>8}{'p95':>8}  events")
    print(f"{'quiet':20}{before[0]:8.0f}{before[1]:8.0f}{len(quiet):8}")
    print(f"{'in the flood':20}{during[0]:8.0f}{during[1]:8.0f}{len(flooded):8}")
    ratios = during / before
    print(f"{'times':20}{ratios[0]:8.1f}{ratios[1]:8.1f}")
    return [] if ratios[1] <= SLOWER else [f"the page's p95 is over {SLOWER:g} times the quiet one"]


def judge_memory(held: list[float]) -> list[str]:
    """Print the memory of the server; return failed checks."""
    quarter = len(held) // 4
    if not quarter or math.isnan(held[0]):
        return []
    early, late = (float(np.mean(held[i * quarter : (i + 1) * quarter])) for i in (1, 3))
    print(f"\nresident: {held[0]:.0f} MB at first, {max(held):.0f} at most")
    print(f"second quarter {early:.0f} MB, last quarter {late:.0f}: {late / early:.3f} times")
    return [] if late / early <= GROWTH else [f"it grew by more than {GROWTH:g} times"]


def judge_end(afterwards: Report, seconds: float, status: int, log: str) -> list[str]:
    """Print the results after the flood and of the shutdown; return failed checks."""
    faults = [*afterwards.wrong, *afterwards.misdirected, *afterwards.strange]
    print(f"\nafterwards: {afterwards.right} right answers, {len(faults)} faults")
    print(f"ended {seconds:.1f} s after SIGTERM with status {status}")
    errors = log.count("Traceback (most recent call last)")
    print(f"unhandled errors: {errors}")
    print("".join(f"    {line}\n" for line in log.splitlines()[-SHOWN:]), end="")
    wrong = {
        "its results were wrong afterwards": bool(faults) or not afterwards.right,
        f"it took over {ENDING:g} s to end": seconds > ENDING,
        f"it ended with status {status}": status != 0,
        "it has unhandled errors": errors > 0,
    }
    return [what for what, so in wrong.items() if so]


if __name__ == "__main__":
    sys.exit(main())
