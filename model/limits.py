"""How much of a caller's ink is read at most."""

from dataclasses import dataclass, field
from typing import Any


def limit(default: int, what: str, *, least: int = 1) -> Any:
    """Return a field of a dataclass of limits; `what` says what it bounds."""
    return field(default=default, metadata={"help": what, "least": least})


@dataclass(frozen=True)
class Limits:
    """What a Reader refuses to read more of; each is a flag of app.py."""

    # A canvas has 80,000; a few kilobytes of PNG can hold 400 million.
    max_pixels: int = limit(4_000_000, "pixels of a picture")
    # A digit has at most a handful; each costs time to explain.
    max_strokes: int = limit(1_000, "strokes of a drawing")
    max_points: int = limit(10_000, "points of a drawing")
    # A digit has 6 at most; a child's scribble may have a hundred.
    max_length: int = limit(
        500, "total length of a drawing's strokes, as a multiple of its longer side"
    )
    max_pictures: int = limit(10_000, "pictures of a batch")
    # 10,000 pictures as an array have 7.84 million.
    max_unpacked: int = limit(64_000_000, "bytes that a batch's .zip or .npz holds, unpacked")


LIMITS = Limits()
