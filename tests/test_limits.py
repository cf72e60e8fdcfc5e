"""Tests of each limit, set by its flag: below it, at it and above it."""

import asyncio
import dataclasses
import os
import time
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from app import parse
from model.limits import Limits
from server.capacity import PAGE_BUSY, PAGE_ROUTE, UPLOADS_FULL, Capacity
from server.errors import RequestError
from server.limits import ServerLimits, from_flags
from server.responses import BUSY
from server.uploads import Uploads
from tests.hostile.batches import blank, saved, zipped
from tests.hostile.caller import API, JSON, data_url
from tests.hostile.pictures import png
from tests.hostile.server import attacked

SMALL = {
    "max_upload": 20_000, "max_json": 50_000, "max_values": 500, "max_depth": 8,
    "max_pixels": 10_000, "max_strokes": 5, "max_points": 50, "max_length": 30, "max_pictures": 20,
    "max_unpacked": 100_000, "max_seconds": 2, "max_age": 4,
}  # fmt: skip
NARROW = {
    "max_queue": 3,
    "max_running": 1,
    "max_seconds": 2,
    "max_cache": 2_000_000,
    "max_page_calls": 2,
}
AT_ONCE = 1.0  # s; longest time of a refusal
DOT = '{"data": [[[[1, 1]]], "mlp-32"]'  # without its closing brace, so that keys can be added


def flags(limits):
    return [part for k, v in limits.items() for part in (f"--{k.replace('_', '-')}", str(v))]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    with attacked(tmp_path_factory.mktemp("small"), *flags(SMALL)) as server:
        yield server


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    with attacked(tmp_path_factory.mktemp("narrow"), *flags(NARROW)) as server:
        yield server


@pytest.fixture(params=["small", "narrow"])
def strained(request):
    return request.getfixturevalue(request.param)


def padded(size):
    return (DOT + "}").ljust(size).encode()


def of_values(count):
    """Return a body with `count` commas and opening brackets."""
    start = DOT + ', "x": [1'
    return (start + ",1" * (count - sum(map(start.count, ",[{"))) + "]}").encode()


def of_depth(depth):
    return (DOT + ', "x": ' + "[" * (depth - 1) + "]" * (depth - 1) + "}").encode()


@pytest.mark.parametrize(
    ("make", "limit", "says"),
    [
        (padded, 50_000, "A JSON body may have at most 50,000 bytes"),
        (of_values, 500, "A JSON body may have at most 500 values"),
        (of_depth, 8, "A JSON body may have at most 8 levels"),
    ],
)
@pytest.mark.parametrize("call", ["run/predict_strokes", "api/predict_strokes"])
def test_a_json_body_over_a_limit_is_refused(small, call, make, limit, says):
    for size in (limit - 1, limit):
        assert small.caller.post(call, make(size)).status == 200
    refused = small.caller.post(call, make(limit + 1))
    assert refused.status == 413
    assert says in refused.json["error"]
    assert refused.json["detail"] == refused.json["error"]


@pytest.mark.parametrize("call", ["call/predict_strokes", "call/v2/predict_strokes",
                                  "queue/join", "component_server/", "cancel"])  # fmt: skip
def test_limits_of_json_bodies_hold_on_other_routes(small, call):
    for make, limit in ((padded, 50_000), (of_values, 500), (of_depth, 8)):
        assert small.caller.post(call, make(limit)).status != 413
        assert small.caller.post(call, make(limit + 1)).status == 413


def test_a_chunked_json_body_over_the_limit_is_refused(small):
    for size, status in ((50_000, 200), (50_001, 413)):
        pieces = (padded(size)[i : i + 7_000] for i in range(0, size, 7_000))
        path = f"{API}/run/predict_strokes"
        assert small.caller.request("POST", path, pieces, JSON).status == status


def test_an_upload_over_the_limit_is_refused(small):
    for size in (19_999, 20_000):
        assert small.caller.upload(bytes(size)).status == 200
    for size in (20_001, 31_000):
        refused = small.caller.upload(bytes(size))
        assert refused.status == 413
        assert "20000" in refused.body.replace(",", "")


def test_a_picture_with_too_many_pixels_is_refused(small):
    for height, status in ((99, 200), (100, 200), (101, 422)):
        file = small.caller.uploaded(png(100, height))
        answer = small.caller.run("predict", file)
        assert answer.status == status
    assert "100 × 101 pixels; at most 10,000 are read" in answer.json["error"]


@pytest.mark.parametrize("endpoint", ["predict_strokes", "explain_strokes"])
def test_a_drawing_with_too_many_strokes_or_points_is_refused(small, endpoint):
    for strokes, status in (
        ([[[i, i]] for i in range(5)], 200),
        ([[[i, i % 5] for i in range(50)]], 200),
        ([[[i, i]] for i in range(6)], 422),
        ([[[i, i % 5] for i in range(51)]], 422),
        ([[[i, 0] for i in range(25)], [[i, 1] for i in range(26)]], 422),
        ([[[i % 2, 0] for i in range(31)]], 200),
        ([[[i % 2, 0] for i in range(32)]], 422),
    ):
        answer = small.caller.run(endpoint, strokes, "mlp-32")
        assert answer.status == status
        question = {"models": ["mlp-32"], "strokes": strokes}
        response = small.caller.page("sketchpad", "read", question).json
        assert ("error" in response) == (status == 422)
        if status == 422:
            assert "are read" in answer.json["error"]


@pytest.mark.parametrize("make", [
    lambda n: saved(blank(n)),
    lambda n: zipped(*((f"{i}.png", png()) for i in range(n))),
], ids=["npy", "zip"])  # fmt: skip
def test_a_batch_with_too_many_pictures_is_refused(small, make):
    for count, status in ((19, 200), (20, 200), (21, 422)):
        answer = small.caller.run("predict_batch", small.caller.uploaded(make(count)), "mlp-32")
        assert answer.status == status
    assert "A batch has at most 20 pictures" in answer.json["error"]


def test_a_zip_that_unpacks_to_too_many_bytes_is_refused(small):
    for size, says in ((99_999, "not a picture"), (100_000, "not a picture"),
                       (100_001, "unpacks to 100,001 bytes; at most 100,000")):  # fmt: skip
        file = small.caller.uploaded(zipped(("a.png", bytes(size))))
        answer = small.caller.run("predict_batch", file, "mlp-32")
        assert answer.status == 422
        assert says in answer.json["error"]


@pytest.mark.parametrize("route", ["run/predict_strokes", "queue/join", "cancel", "upload"])
def test_a_slow_body_is_refused(small, route):
    kind = "multipart/form-data; boundary=x" if route == "upload" else "application/json"
    head = f"POST {API}/{route} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
    started = time.monotonic()
    answer = small.caller.raw((head + "Content-Length: 900\r\n\r\n--x\r\n").encode(), end=False)
    assert answer.status == 408
    assert "A request must arrive within 2 seconds" in answer.body
    assert 1.9 < time.monotonic() - started < 5


def test_an_old_upload_is_deleted(small):
    file = small.caller.uploaded(png(99, 99))
    assert small.caller.run("predict", file, "mlp-32").status == 200
    deadline = time.monotonic() + 20
    while any(p.is_file() for p in small.uploads().rglob("*")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    answer = small.caller.run("predict", file, "mlp-32")
    assert answer.status == 422
    assert "was not uploaded, or was deleted" in answer.json["error"]


def slow_batch(count=300):
    """Return a .zip that takes longer to read than `max_seconds`."""
    packer = zlib.compressobj(1)
    row = b"\0" + bytes(range(256)) * 7 + bytes(208)
    rows = b"".join([packer.compress(row) for _ in range(2_000)]) + packer.flush()
    return zipped(*((f"{i}.png", png(2_000, 2_000, rows=rows)) for i in range(count)))


def test_a_batch_over_the_time_limit_is_stopped(narrow):
    started = time.monotonic()
    file = narrow.caller.uploaded(slow_batch())
    for route in ("run", "join"):
        started = time.monotonic()
        answer = getattr(narrow.caller, route)("predict_batch", file, "mlp-32")
        assert answer.status == 422
        assert "Time is up after" in answer.body
        assert 1.9 < time.monotonic() - started < 5


def test_calls_above_the_limit_are_refused_at_once_on_every_route(narrow, digits):
    file = narrow.caller.uploaded(slow_batch())
    with ThreadPoolExecutor(3) as pool:
        held = [pool.submit(narrow.caller.run, "predict_batch", file, "mlp-32") for _ in range(3)]
        time.sleep(0.7)
        for call in (
            lambda: narrow.caller.run("predict_strokes", [], "mlp-32"),
            lambda: narrow.caller.call("predict_strokes", [], "mlp-32"),
            lambda: narrow.caller.call_named("predict_strokes", strokes=[]),
            lambda: narrow.caller.join("predict_strokes", [], "mlp-32"),
            lambda: narrow.caller.page("sketchpad", "read", {}),
        ):
            started = time.monotonic()
            answer = call()
            assert time.monotonic() - started < AT_ONCE
            assert answer.status == 503
            assert BUSY in answer.body
            assert "retry-after: 1" in answer.headers
        assert not any(each.done() for each in held)
        assert narrow.caller.get("/health").status == 200  # busy but healthy
        assert {each.result().status for each in held} == {422}
    narrow.assert_reads(digits[3]["strokes"])


def test_a_page_with_too_many_calls_is_refused(narrow, digits):
    """One page sends nine slow pictures at once. Other pages can still read."""
    url = data_url(png(1_900, 1_900, rows=noise(1_900)))

    def read(_):
        return narrow.caller.page("sketchpad", "read", {"models": ["mlp-32"], "picture": url})

    with ThreadPoolExecutor(3) as pool:
        statuses = {answer.status: answer for answer in pool.map(read, range(9))}
    assert set(statuses) == {200, 503}
    assert PAGE_BUSY in statuses[503].body
    assert "retry-after: 1" in statuses[503].headers
    narrow.assert_reads(digits[3]["strokes"])


def noise(side):
    """Return the rows of a picture of noise, which is slow to read."""
    pixels = np.random.default_rng(0).integers(0, 256, (side, side), np.uint8)
    return zlib.compress(np.pad(pixels, ((0, 0), (1, 0))).tobytes(), 1)


def run_calls(calls, tmp_path, **limits):
    """Run calls, each (route, session), that start one after the other.

    Returns the largest number of running calls by route, the order in which calls began, and the
    refusals, each (number, status, message).
    """
    capacity = Capacity(
        ServerLimits(**limits), Uploads(tmp_path, max_bytes=1, max_age=1, grace=1),
    )  # fmt: skip
    began, refused, running, most = [], [], Counter(), Counter()

    async def call(number, route, session):
        try:
            async with capacity.slot(route, "read", session):
                began.append(number)
                running[route] += 1
                most[route] = max(most[route], running[route])
                for _ in range(20):  # let other calls begin
                    await asyncio.sleep(0)
                running[route] -= 1
        except RequestError as error:
            refused.append((number, error.status, str(error)))

    async def run_all():
        await asyncio.gather(*(call(i, *each) for i, each in enumerate(calls)))

    with ThreadPoolExecutor(1) as pool:  # Playwright's event loop runs in this thread
        pool.submit(asyncio.run, run_all()).result()
    assert capacity.n_calls == 0
    return most, began, refused


def test_calls_of_pages_run_in_order_up_to_the_limit(tmp_path):
    calls = [(PAGE_ROUTE, f"page {i}") for i in range(20)]
    most, began, refused = run_calls(calls, tmp_path, max_running=2)
    assert most[PAGE_ROUTE] == 2
    assert began == [*range(20)]
    assert not refused


def test_pages_do_not_wait_for_other_calls(tmp_path):
    calls = [*[("run", "")] * 10, *[(PAGE_ROUTE, f"page {i}") for i in range(3)]]
    _, began, _ = run_calls(calls, tmp_path, max_running=2)
    assert set(began[:5]) == {0, 1, 10, 11, 12}


def test_calls_above_the_limit_of_a_page_are_refused(tmp_path):
    calls = [*[(PAGE_ROUTE, "one")] * 5, (PAGE_ROUTE, "other")]
    _, began, refused = run_calls(calls, tmp_path, max_page_calls=3)
    assert began == [0, 1, 2, 5]
    assert refused == [(i, 503, PAGE_BUSY) for i in (3, 4)]


def test_a_full_queue_refuses_calls_at_once(narrow, digits):
    file = narrow.caller.uploaded(slow_batch())
    events = []
    for _ in range(12):
        started = time.monotonic()
        asked = narrow.caller.post("call/predict_batch", {"data": [file, "mlp-32"]})
        assert time.monotonic() - started < AT_ONCE
        if asked.status != 200:
            break
        events.append(asked.json["event_id"])
    assert asked.status == 503
    assert BUSY in asked.body
    assert 3 <= len(events) <= 5  # three wait, one runs, and one may be between the two
    narrow.assert_reads(digits[3]["strokes"])  # calls outside the queue are not delayed
    for event in events:
        narrow.caller.get(f"{API}/call/predict_batch/{event}")


def test_uploads_are_refused_while_the_folder_is_full_of_new_ones(narrow, digits):
    taken = 0
    for i in range(12):
        answer = narrow.caller.upload(bytes([i]) * 400_000)
        if answer.status != 200:
            break
        taken += 1
    assert taken <= 5
    assert answer.status == 503
    assert UPLOADS_FULL in answer.json["error"]
    assert "retry-after: 1" in answer.headers
    assert sum(p.stat().st_size for p in narrow.uploads().rglob("*") if p.is_file()) <= 2_000_000
    narrow.assert_reads(digits[3]["strokes"])


def stored(folder, name, *, size, age):
    path = folder / name / "x.png"
    path.parent.mkdir()
    path.write_bytes(bytes(size))
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_the_oldest_uploads_are_deleted_and_new_ones_are_kept(tmp_path):
    uploads = Uploads(tmp_path, max_bytes=1_000, max_age=500, grace=30)
    ancient = stored(tmp_path, "ancient", size=1, age=501)
    old = stored(tmp_path, "old", size=400, age=50)
    younger = stored(tmp_path, "younger", size=400, age=40)
    fresh = stored(tmp_path, "fresh", size=100, age=20)
    uploads.delete_old()
    assert uploads.take_deleted() == [str(ancient)]
    assert not ancient.parent.exists()
    assert uploads.reserve(100)
    assert not uploads.reserve(1)
    uploads.release(100)
    uploads.delete_old(needed=500)
    assert uploads.take_deleted() == [str(old)]
    assert uploads.reserve(500)
    uploads.delete_old()
    assert not uploads.reserve(1)  # reserved bytes are still counted
    uploads.release(500)
    uploads.delete_old(needed=1_000)
    assert uploads.take_deleted() == [str(younger)]
    assert fresh.exists()
    assert not uploads.reserve(1_000)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("2000", 2_000), ("10MB", 10_000_000), ("10mb", 10_000_000), ("500 kB", 500_000),
     (" 1 ", 1), ("2GB", 2_000_000_000)],
)  # fmt: skip
def test_an_amount_is_parsed(text, amount):
    assert parse([f"--max-upload={text}"]).max_upload == amount


@pytest.mark.parametrize("text", ["0", "0MB", "abc", "-1", "1.5MB", "", "10XB", "1e6", "1,000"])
def test_an_invalid_amount_is_refused(text, capsys):
    with pytest.raises(SystemExit) as ended:
        parse([f"--max-upload={text}"])
    assert ended.value.code == 2
    assert (
        f"{text!r} is not an amount: write a whole number above 0, such as 2000, 500kB or 10MB"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("limits", [Limits, ServerLimits])
def test_each_limit_has_a_flag(limits):
    names = [each.name for each in dataclasses.fields(limits)]
    assert from_flags(limits, parse([])) == limits()
    options = parse(flags(dict.fromkeys(names, 7)))
    assert dataclasses.asdict(from_flags(limits, options)) == dict.fromkeys(names, 7)
