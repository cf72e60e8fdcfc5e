"""What the gate does with a hostile body takes no time that the page would miss."""

import time

import pytest

from server.gate import _depth

EMPTY = b"[]," * 20


@pytest.mark.parametrize(
    ("body", "depth"),
    [
        (b"[" * 50_000 + b"]" * 50_000, 50_000),
        (b'["' + b"a" * 5_900_000 + b'",' + EMPTY + b"0]", 2),
        (b'["' + b"\\n" * 2_900_000 + b'",' + EMPTY + b"0]", 2),
        (b'["' + b"[" * 50_000 + b'",' + EMPTY + b"0]", 2),
        (rb'["\\", "[[[\"[[[", "\\\"[", ' + EMPTY + rb'[{"[": {}}]]', 4),
        (b'["' + b"a" * 5_900_000 + EMPTY, 1),
        (b"[" + b"[]," * 29_000 + b"0]", 2),
    ],
)
def test_depth_is_counted_at_once(body, depth):
    started = time.process_time()
    assert _depth(body, 16) == depth
    assert time.process_time() - started < 0.1
