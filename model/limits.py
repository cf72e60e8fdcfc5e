"""The limits on what a Reader accepts."""

from dataclasses import dataclass, field
from typing import Any


def limit(default: int, what: str, *, least: int = 1) -> Any:
    """Return a dataclass field for a limit; `what` describes it in the flag's help."""
    return field(default=default, metadata={"help": what, "least": least})


@dataclass(frozen=True)
class Limits:
    """Limits on pictures, drawings and batches; each is a flag of app.py."""

    # The page's canvas has 80,000 pixels; a PNG of a few kilobytes can have 400 million.
    max_pixels: int = limit(4_000_000, "pixels per picture")
    # A digit has a few strokes; each takes time to explain.
    max_strokes: int = limit(1_000, "strokes per drawing")
    max_points: int = limit(10_000, "points per drawing")
    # The multiple is at most 6 for a digit, and about 100 for a scribble.
    max_length: int = limit(
        500, "total length of a drawing's strokes, as a multiple of its longer side"
    )
    max_pictures: int = limit(10_000, "pictures per batch")
    # 10,000 pictures as an array have 7.84 million.
    max_unpacked: int = limit(64_000_000, "bytes per batch (.zip or .npz), unpacked")


LIMITS = Limits()
