"""Replicas behind HAProxy: callers and pages get their own answers, also while a replica ends.

`make replicas-test` runs the same tests with more calls and pages.
"""

import json
import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import expect

from benchmarks.browser import children
from benchmarks.cluster import balancer, cluster
from benchmarks.flood.questions import drawing, png, prediction, same
from benchmarks.serving.callers import JSON, form
from server.guard import STOPPING
from server.responses import LOST_CALL
from tests.conftest import needs_haproxy, needs_loopback_addresses
from tests.test_lesson_practice import TRAINED, Trainer
from tests.visitor import Visitor, load_reader, on_page
from training.synthetic.canvas import STROKE_WIDTH, canvas_picture

N_CALLS = int(os.environ.get("REPLICAS_TEST_CALLS", "24"))  # of each kind
N_PAGES = int(os.environ.get("REPLICAS_TEST_PAGES", "4"))
MODEL = "mlp-32"
# The pages share this machine, so they are small and their pens are slow.
VIEWPORT = {"width": 500, "height": 500}
POINTS_A_SECOND = 4  # that each pen draws
PAUSE = 0.2  # s between two calls of a program, while a replica ends
AT_ONCE = 4  # callers of each kind
N_ADDRESSES = 16  # of this machine, from which programs call
MAX_PAUSE = 2_000  # ms that the end of a replica may add to the pause between two readings
NOTE_READINGS = """
window.shown = [];
document.addEventListener('reading', () => shown.push(performance.now()));
"""
LONGEST_PAUSE = """() => {
  const times = [...shown, performance.now()];
  shown = times.slice(-1);
  return Math.max(...times.slice(1).map((time, i) => time - times[i]));
}"""
# What a call may get instead of a result while its replica ends.
REASONS = (STOPPING, LOST_CALL, "upload it first", "The server has stopped", "Server stopped")

pytestmark = [
    pytest.mark.browser,
    needs_haproxy,
    needs_loopback_addresses,
]


class Refused(Exception):  # noqa: N818
    """A call got this status and this text instead of a result."""


class Picture:
    """The picture of one caller, with Reader's result."""

    def __init__(self, number, folder):
        self.number = number
        self.file = png(canvas_picture(drawing(number), STROKE_WIDTH))
        self.path = folder / f"{number}.png"
        self.path.write_bytes(self.file)
        self.expected = prediction(load_reader(MODEL).read(self.path))


@pytest.fixture(scope="module")
def two():
    """Yield two replicas behind HAProxy."""
    with cluster(2) as replicas:
        yield replicas


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    return [Picture(number, folder) for number in range(N_CALLS)]


def predict_by_http(url, picture):
    """Upload a picture and read it through the queue, without cookies, from one of N_ADDRESSES.

    Returns the server's folder of uploads, which tells the replicas apart, and the result.
    """
    address = (f"127.0.0.{2 + picture.number % N_ADDRESSES}", 0)
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60, source_address=address)

    def request(method, path, body=b"", kind=JSON):
        connection.request(method, f"/gradio_api/{path}", body, {"Content-Type": kind})
        response = connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise Refused(f"{response.status} {content.decode()}")
        return content

    with closing(connection):
        [path] = json.loads(request("POST", "upload", *form("digit.png", picture.file)))
        body = json.dumps({"image": {"path": path}, "model": MODEL}).encode()
        event = json.loads(request("POST", "call/v2/predict", body))["event_id"]
        events = request("GET", f"call/predict/{event}").decode()
    kind, _, data = events.rpartition("event: ")[2].partition("\ndata: ")
    if kind != "complete":
        raise Refused(f"200 {events}")
    return Path(path).parent.parent, json.loads(data)[0]


def predict_by_client(url, pictures):
    """Read pictures one after the other with one gradio_client."""
    client = Client(url, verbose=False)
    return [client.predict(handle_file(each.path), MODEL, api_name="/predict") for each in pictures]


def wrong(pictures, answers):
    """Return the numbers of the pictures whose answer is not Reader's."""
    pairs = zip(pictures, answers, strict=True)
    return [each.number for each, answer in pairs if not same(answer, each.expected)]


def visitors_of(two, browser, stack):
    """Open N_PAGES pages, each with cookies of its own."""
    for _ in range(N_PAGES):
        context = stack.enter_context(closing(browser.new_context(viewport=VIEWPORT)))
        context.add_init_script(NOTE_READINGS)
        yield Visitor(context, two.url)


def begin_strokes(visitors):
    for visitor in visitors:
        visitor.page.mouse.move(*on_page((140, 140), visitor.pad.bounding_box()))
        visitor.page.mouse.down()
    continue_strokes(visitors, seconds=1)


def continue_strokes(visitors, *, seconds):
    """Move each pen along a spiral."""
    boxes = [visitor.pad.bounding_box() for visitor in visitors]
    began = time.monotonic()
    for i in range(round(seconds * POINTS_A_SECOND)):
        angle, radius = i / 5, 100 * (1 - 1 / (1 + i / 40))
        point = (140 + radius * np.cos(angle), 140 + radius * np.sin(angle))
        for visitor, box in zip(visitors, boxes, strict=True):
            visitor.page.mouse.move(*on_page(point, box))
        time.sleep(max(0.0, began + (i + 1) / POINTS_A_SECOND - time.monotonic()))


def longest_pauses(visitors):
    """Return the longest time without a new reading on each page since the last call, in ms.

    The time of the call itself counts as a reading for the next call.
    """
    return [visitor.page.evaluate(LONGEST_PAUSE) for visitor in visitors]


def check_page(visitor):
    """Lift the pen, and compare what the page shows with Reader."""
    visitor.page.mouse.up()
    visitor.settle()
    assert visitor.faults == []
    expected = load_reader("mlp-1024").read_strokes(visitor.sent[-1]["strokes"])
    expect(visitor.page.get_by_test_id("status")).to_have_text("")
    if expected.digit is None:
        expect(visitor.page.get_by_test_id("answer")).to_contain_text("not a digit")
    else:
        visitor.check_against(expected)


def test_each_caller_and_each_page_gets_its_own_answers(two, pictures, browser):
    shares = [pictures[i::AT_ONCE] for i in range(AT_ONCE)]
    with ExitStack() as stack, ThreadPoolExecutor(2 * AT_ONCE) as callers:
        visitors = list(visitors_of(two, browser, stack))
        by_http = [callers.submit(predict_by_http, two.url, each) for each in pictures]
        by_client = [callers.submit(predict_by_client, two.url, share) for share in shares]
        for number, visitor in enumerate(visitors):
            visitor.draw_by_mouse(drawing(number))
        for visitor in visitors:
            check_page(visitor)
        cookies = {visitor.page.context.cookies()[0]["value"] for visitor in visitors}
        folders, answers = zip(*[future.result() for future in by_http], strict=True)
    assert len(set(folders)) == 2  # the addresses are spread over both replicas
    assert len(cookies) == 2  # and so are the pages
    assert wrong(pictures, answers) == []
    for share, future in zip(shares, by_client, strict=True):
        assert wrong(share, future.result()) == []


def test_without_stickiness_calls_would_fail(two, pictures):
    failed = 0
    with (
        balancer([each.url for each in two.replicas], sticky=False) as url,
        ThreadPoolExecutor(AT_ONCE) as callers,
    ):
        for future in [callers.submit(predict_by_http, url, each) for each in pictures]:
            failed += isinstance(future.exception(), Refused)
    print(f"without stickiness, {failed} of {len(pictures)} calls fail")
    assert failed > len(pictures) / 4


class Callers:
    """Two threads that call over HTTP and by gradio_client, and count the outcomes."""

    def __init__(self, url, pictures):
        self.outcomes = Counter()
        self.strange = []
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._call, args=(url, pictures, i)) for i in range(2)
        ]
        for thread in self._threads:
            thread.start()

    def _call(self, url, pictures, i):
        client = Client(url, verbose=False) if i else None
        for turn in count():
            if self._stopped.wait(PAUSE):
                return
            picture = pictures[turn % len(pictures)]
            try:
                if client:
                    image = handle_file(picture.path)
                    job = client.submit(image, MODEL, api_name="/predict")
                    answer = job.result(timeout=60)
                else:
                    _, answer = predict_by_http(url, picture)
            except Exception as error:
                self._note(error)
                continue
            self.outcomes["right" if same(answer, picture.expected) else "wrong"] += 1

    def _note(self, error):
        known = [reason for reason in REASONS if reason in str(error)]
        # gradio_client raises CancelledError if its event stream breaks off.
        broken = isinstance(error, OSError | HTTPException | CancelledError)
        broken = broken or "httpx" in type(error).__module__
        if known or (broken and not isinstance(error, TimeoutError)):
            self.outcomes[known[0] if known else f"broken: {type(error).__name__}"] += 1
        else:
            self.strange.append(f"{type(error).__name__}: {error}")

    def stop(self):
        self._stopped.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_pages_and_callers_continue_when_a_replica_stops(two, pictures, browser, ending):
    with ExitStack() as stack:
        visitors = list(visitors_of(two, browser, stack))
        callers = Callers(two.url, pictures)
        stack.callback(callers.stop)
        begin_strokes(visitors)
        longest_pauses(visitors)  # of the first strokes, while other pages were still idle
        continue_strokes(visitors, seconds=4)
        quiet = longest_pauses(visitors)
        drawn = [visitor.sent[-1]["strokes"] for visitor in visitors]
        stack.callback(two.restart, 0)
        two.replicas[0].process.send_signal(ending)
        continue_strokes(visitors, seconds=6)
        pauses = longest_pauses(visitors)
        for visitor, [first] in zip(visitors, drawn, strict=True):
            check_page(visitor)
            [stroke] = visitor.sent[-1]["strokes"]
            assert stroke[: len(first)] == first
            assert len(stroke) > len(first) > 1
    before, during = (np.percentile(each, 95) for each in (quiet, pauses))
    print(f"{ending.name}: the longest pause of a page has a p95 of {during:.0f} ms; ", end="")
    print(f"{before:.0f} ms before. Calls: {dict(callers.outcomes)}")
    assert during - before < MAX_PAUSE
    assert callers.strange == []
    assert callers.outcomes["wrong"] == 0
    assert callers.outcomes["right"] > 0


def test_a_training_run_on_a_replica_that_ends_is_reported_as_lost(two, browser):
    context = browser.new_context()
    trainer = Trainer(context, two.url)
    trainer.part("practice-epochs").fill("30")
    trainer.part("practice-relu").uncheck()
    trainer.part("practice-train").click()
    expect(trainer.part("practice-state")).to_have_text("Training…", timeout=TRAINED)
    pids = [replica.process.pid for replica in two.replicas]
    [busy] = [i for i, pid in enumerate(pids) if children(pid, "lesson.worker")]
    two.replicas[busy].process.kill()
    expect(trainer.part("practice-state")).to_contain_text("This training run was lost")
    for reloaded in (False, True):
        if reloaded:
            trainer.page.reload()
            expect(trainer.part("practice-state")).to_contain_text("This training run was lost")
        expect(trainer.part("practice-epochs")).to_have_value("30")
        expect(trainer.part("practice-relu")).not_to_be_checked()
    trainer.part("practice-train").click()
    expect(trainer.part("practice-state")).to_have_text("Training…", timeout=TRAINED)
    assert children(pids[1 - busy], "lesson.worker")
    assert trainer.faults == []
    context.close()
    two.restart(busy)
