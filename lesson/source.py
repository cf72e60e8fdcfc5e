"""The lesson's source, lesson/steps/*.md: read once, shown by the page, the notebook and the tests.

A step is a file: its title, the one idea, then parts in the order in which they are shown. Fences
say what is no text:

    ```python            three lines of PyTorch, run by the tests and in the notebook as they stand
    ```python live       the same, and run for each drawing of the page's visitor, too
    ```python notebook   a picture, drawn by the notebook alone
    ```python lesson.fit:fit_epoch    the source of a function of this project
    ```picture NAME      a picture of the page, ui/lesson/pictures/NAME.js, with its caption
    ```try               one thing to try

What follows `## The mathematics` is folded away until it is asked for. A figure stands in the text
as `{path}`: see lesson/figures.py.
"""

import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from lesson.figures import fill_in

STEPS = Path(__file__).parent / "steps"
INTRODUCTION = Path(__file__).parent / "introduction.md"
MATHS = "## The mathematics"
Kind = Literal["text", "code", "live", "notebook", "source", "picture", "try"]
_FENCE = re.compile(r"^```(\w+)[ ]?(.*?)\n(.*?)^```$\n?", re.DOTALL | re.MULTILINE)


class Part(NamedTuple):
    """Some of a step, in the order of its source."""

    kind: Kind
    text: str  # Markdown; Python for code; a picture's caption
    name: str = ""  # of a picture, or of the function that a source is


class Step(NamedTuple):
    """One step of the lesson, with one idea."""

    number: int  # from 1
    name: str  # its address on the page
    title: str
    idea: str  # one sentence of Markdown
    parts: tuple[Part, ...]
    maths: tuple[Part, ...]  # of the fold


@cache
def steps() -> tuple[Step, ...]:
    """Return the steps of the lesson, with the figures filled in."""
    return tuple(_read(path) for path in sorted(STEPS.glob("*.md")))


def introduction() -> str:
    """Return what stands before the first step, as Markdown."""
    return INTRODUCTION.read_text(encoding="utf-8").strip()


def _read(path: Path) -> Step:
    number, _, name = path.stem.partition("-")
    text, _, maths = path.read_text(encoding="utf-8").partition(MATHS)
    title, idea, body = text.split("\n\n", 2)
    return Step(
        int(number),
        name,
        title.removeprefix("# "),
        fill_in(" ".join(idea.split())),
        tuple(_parts(body)),
        tuple(_parts(maths)),
    )


def _parts(text: str) -> Iterator[Part]:
    at = 0
    for fence in _FENCE.finditer(text):
        yield from _text(text[at : fence.start()])
        yield _fenced(*fence.groups())
        at = fence.end()
    yield from _text(text[at:])


def _text(text: str) -> Iterator[Part]:
    if text.strip():
        yield Part("text", fill_in(text.strip()))


def _fenced(language: str, rest: str, text: str) -> Part:
    text = text.rstrip("\n")
    if language in ("picture", "try"):
        return Part(language, fill_in(" ".join(text.split())), rest)
    if rest in ("live", "notebook"):
        return Part(rest, text)
    return Part("source", _source(rest), rest) if rest else Part("code", text)


def _source(name: str) -> str:
    """Return the source of `module:function`."""
    module, _, function = name.partition(":")
    return inspect.getsource(getattr(importlib.import_module(module), function)).rstrip("\n")
