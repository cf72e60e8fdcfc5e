"""Tests with a thousand hostile requests: each gets the right response and does no harm."""

import time
from collections.abc import Iterator

import pytest

from tests.hostile import CASES
from tests.hostile.server import Server, attacked

SECONDS = 5  # longest time of one response
EVERY = 10  # after this many cases, a valid drawing is read to check the server
GROWTH = 250_000_000  # bytes that Pillow, NumPy and the allocator may keep


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    with attacked(tmp_path_factory.mktemp("hostile")) as server:
        server.new_log()
        yield server


@pytest.fixture(scope="module")
def memory(server, digits) -> int:
    """Return the memory of the process after its first reading."""
    server.assert_reads(digits[3]["strokes"])
    return server.memory()


def test_the_corpus_has_a_thousand_cases_with_different_names():
    assert len(CASES) >= 1_000
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("index", range(len(CASES)), ids=[case.name for case in CASES])
def test_hostile_request_gets_the_expected_response(server, memory, digits, index):
    case = CASES[index]
    started = time.monotonic()
    answer = case.send(server.caller)
    taken = time.monotonic() - started
    assert answer.status in case.status, answer
    assert case.says in answer.body
    assert taken < SECONDS
    assert server.leak(answer) is None
    if index % EVERY == 0:
        server.assert_reads(digits[3]["strokes"])
    log = server.new_log()
    assert "Traceback" not in log, log[-3_000:]


def test_the_server_is_unharmed_after_all_cases(server, memory, digits):
    server.assert_reads(digits[3]["strokes"])
    assert server.memory() < memory + GROWTH
    other_files = [p for p in server.folder.rglob("*") if server.uploads() not in (p, *p.parents)]
    assert all(p.is_dir() for p in other_files)
    assert sum(p.stat().st_size for p in server.uploads().rglob("*")) <= 250_000_000
    assert "Traceback" not in server.new_log()
