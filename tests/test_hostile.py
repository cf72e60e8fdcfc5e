"""A thousand things that nobody should send: each is answered as it must be, and harms nothing."""

import time
from collections.abc import Iterator

import pytest

from tests.hostile import CASES
from tests.hostile.server import Server, attacked

SECONDS = 5  # each is answered within
EVERY = 10  # cases, after which the server must still read a drawing as Reader does
GROWTH = 250_000_000  # bytes: what Pillow, NumPy and the allocator keep for good


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    with attacked(tmp_path_factory.mktemp("hostile")) as server:
        server.complaints()
        yield server


@pytest.fixture(scope="module")
def memory(server, digits) -> int:
    """What the process holds once it has read something."""
    server.assert_right(digits[3]["strokes"])
    return server.memory()


def test_the_corpus_is_what_it_says():
    assert len(CASES) >= 1_000
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("index", range(len(CASES)), ids=[case.name for case in CASES])
def test_it_is_answered_as_it_must_be(server, memory, digits, index):
    case = CASES[index]
    started = time.monotonic()
    answer = case.send(server.caller)
    taken = time.monotonic() - started
    assert answer.status in case.status, answer
    assert case.says in answer.body
    assert taken < SECONDS
    assert server.leak(answer) is None
    if index % EVERY == 0:
        server.assert_right(digits[3]["strokes"])
    complaints = server.complaints()
    assert "Traceback" not in complaints, complaints[-3_000:]


def test_after_all_of_it_the_server_is_as_it_was(server, memory, digits):
    server.assert_right(digits[3]["strokes"])
    assert server.memory() < memory + GROWTH
    beside = [p for p in server.folder.rglob("*") if server.uploads() not in (p, *p.parents)]
    assert all(p.is_dir() for p in beside)
    assert sum(p.stat().st_size for p in server.uploads().rglob("*")) <= 250_000_000
    assert "Traceback" not in server.complaints()
