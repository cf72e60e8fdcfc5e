"""How much the server takes at most, and the flags that say so."""

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
    """What a request may cost before anything of it is looked at; each is a flag of app.py."""

    max_upload: int = limit(10_000_000, "bytes of an uploaded file")
    max_json: int = limit(6_000_000, "bytes of a JSON body, pictures in base64 included")
    max_values: int = limit(60_000, "values of a JSON body")  # 10,000 points take 30,000
    max_depth: int = limit(16, "lists and objects inside each other in a JSON body")
    max_queue: int = limit(64, "calls that are in work or wait; the next is refused")
    # One interpreter does all the arithmetic; more at once would only delay the page.
    max_running: int = limit(
        2, "API calls that are processed at once; the page's calls have as many slots again"
    )
    # The page has one open question of each kind: five at most.
    max_page_calls: int = limit(8, "calls of one page in work or waiting; the next is refused")
    max_streams: int = limit(500, "answers that stay open: each page has one")
    max_seconds: int = limit(30, "seconds that a request may take to arrive, or a batch to be read")
    max_cache: int = limit(250_000_000, "bytes of uploads that are kept")
    max_age: int = limit(600, "seconds that an upload is kept")


@dataclass(frozen=True)
class TrainingLimits:
    """How much visitors may train on this machine; each is a flag of app.py."""

    # Each is a process that takes what the page leaves of a core, and up to 370 MB.
    max_trainings: int = limit(2, "trainings that run at once, or 0; MAX_TRAININGS", least=0)
    max_training_seconds: int = limit(60, "seconds that a training may take")


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
    """Return the limits that the flags of `add_flags` gave."""
    names = [each.name for each in dataclasses.fields(limits)]
    return limits(**{name: getattr(options, name) for name in names})


def amount(text: str, *, least: int = 1) -> int:
    """Return a whole number, `least` at least, which may end in kB, MB or GB.

    Raises:
        argparse.ArgumentTypeError: it is not of that form.
    """
    found = re.fullmatch(r"(\d+) ?([kmg]b)?", text.strip().lower())
    if not found or int(found[1]) < least:
        bound = "above 0" if least else "from 0 on"
        raise argparse.ArgumentTypeError(
            f"{text!r} is no amount: write a whole number {bound}, such as 2000, 500kB or 10MB"
        )
    return int(found[1]) * UNITS[found[2] or ""]
