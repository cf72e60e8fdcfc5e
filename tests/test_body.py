"""Tests of the nesting depth of JSON bodies."""

import time

import pytest

from server.body import nesting_depth

EMPTY = b"[]," * 20


@pytest.mark.parametrize(
    ("body", "deep"),
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
def test_nesting_depth_of_hostile_bodies_is_computed_quickly(body, deep):
    started = time.process_time()
    assert nesting_depth(body, 16) == deep
    assert time.process_time() - started < 0.1
