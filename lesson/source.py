"""Parse the lesson's source, lesson/steps/*.md, for the page, the notebook and the tests.

Each step is a file: a title, the idea in one sentence, then the parts in the order in which they
are shown. Parts other than text are fenced blocks:

    ```python            lines of PyTorch that the tests and the notebook run
    ```python live       the same; the page also runs them for each drawing of its visitor
    ```python notebook   code that draws a picture, in the notebook only
    ```python lesson.fit:fit_epoch    the source code of a function of this project
    ```picture NAME      a picture on the page, ui/lesson/pictures/NAME.js, with its caption
    ```try               something to try

The part after `## The mathematics` is collapsed on the page. `{path}` in a text is replaced by a
figure: see lesson/figures.py.
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
    """A part of a step."""

    kind: Kind
    text: str  # Markdown; Python for code; a picture's caption
    name: str = ""  # of the picture, or of the function whose source code this is


class Step(NamedTuple):
    """One step of the lesson, with one idea."""

    number: int  # from 1
    name: str  # its anchor on the page
    title: str
    idea: str  # one sentence of Markdown
    parts: tuple[Part, ...]
    maths: tuple[Part, ...]  # collapsed on the page


@cache
def steps() -> tuple[Step, ...]:
    """Return the steps of the lesson, with the figures filled in."""
    return tuple(_read(path) for path in sorted(STEPS.glob("*.md")))


def introduction() -> str:
    """Return the introduction, which precedes the first step, as Markdown."""
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
