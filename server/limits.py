"""The limits of the server, and their command-line flags."""

import argparse
import dataclasses
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from model.limits import limit

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
UNITS = {"": 1, "kb": 1_000, "mb": 1_000_000, "gb": 1_000_000_000}


@dataclass(frozen=True)
class ServerLimits:
    """Limits on requests, checked before their content is read; each is a flag of app.py."""

    max_upload: int = limit(10_000_000, "bytes per uploaded file")
    max_json: int = limit(6_000_000, "bytes per JSON body, including pictures in base64")
    max_values: int = limit(60_000, "values per JSON body")  # 10,000 points have 30,000
    max_depth: int = limit(16, "levels of nesting per JSON body")
    max_queue: int = limit(64, "running or queued calls; further calls are rejected")
    # All of them share one interpreter: more running calls would only delay the page.
    max_running: int = limit(
        2, "running API calls; page calls have the same number of separate slots"
    )
    # The page has at most one request of each of its five kinds in progress.
    max_page_calls: int = limit(8, "running or queued calls per page; further calls are rejected")
    max_streams: int = limit(500, "open responses; each page has one")
    max_seconds: int = limit(30, "seconds that a request may take to arrive, or a batch to be read")
    max_cache: int = limit(250_000_000, "bytes of all uploads")
    max_age: int = limit(600, "seconds until an upload is deleted")


@dataclass(frozen=True)
class TrainingLimits:
    """Limits on the networks that visitors train; each is a flag of app.py."""

    # Each is a process of low priority that needs up to 370 MB.
    max_trainings: int = limit(
        2, "active training runs; 0 turns training off (MAX_TRAININGS)", least=0
    )
    max_training_seconds: int = limit(60, "seconds per training run")


def add_flags(parser: argparse.ArgumentParser, limits: type["DataclassInstance"]) -> None:
    """Add a flag for each field of a dataclass of limits."""
    group = parser.add_argument_group(f"limits: {limits.__doc__}".partition(";")[0])
    for each in dataclasses.fields(limits):
        group.add_argument(
            f"--{each.name.replace('_', '-')}",
            type=partial(amount, least=each.metadata["least"]),
            default=each.default,
            metavar="N",
            help=f"{each.metadata['help']} ({each.default:,})",
        )


def from_flags(limits: type[T], options: argparse.Namespace) -> T:
    """Return the limits from parsed flags."""
    names = [each.name for each in dataclasses.fields(limits)]
    return limits(**{name: getattr(options, name) for name in names})


def amount(text: str, *, least: int = 1) -> int:
    """Parse a whole number that may end in kB, MB or GB.

    Raises:
        argparse.ArgumentTypeError: it is not such a number, or less than `least`.
    """
    found = re.fullmatch(r"(\d+) ?([kmg]b)?", text.strip().lower())
    if not found or int(found[1]) < least:
        bound = "above 0" if least else "of 0 or more"
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an amount: write a whole number {bound}, such as 2000, 500kB or 10MB"
        )
    return int(found[1]) * UNITS[found[2] or ""]
