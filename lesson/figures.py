"""Insert measured figures into the lesson's text.

In a step, `{logistic.test.accuracy.value}` is replaced by that figure of the network's
evaluation.json, as a percentage, and `{lesson.linear.mean}` by one of lesson/figures.json.
`{path:fine}` has two decimals, `{path:number}` is a whole number, `{path:small}` has three digits.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from model.checkpoint import EVALUATION_FILE, RESULTS_FILE, SHIPPED, shipped_names

FIGURES = Path(__file__).parent / "figures.json"  # python -m benchmarks.lesson
_PLACE = re.compile(r"\{([\w-]+(?:\.[\w -]+)+)(?::(\w+))?\}")
_FORMS = {
    "share": lambda value: f"{100 * value:.1f} %",
    "fine": lambda value: f"{100 * value:.2f} %",
    "number": lambda value: f"{value:,}",
    "small": lambda value: f"{value:.3g}",
}


@cache
def figures() -> Mapping[str, Any]:
    """Return all figures, by the name of a shipped network, or `lesson` for the lesson's own."""
    found = {name: _of_network(name) for name in shipped_names()}
    return found | {"lesson": _read(FIGURES)}


def fill_in(text: str) -> str:
    """Replace each `{path}` in a text by its figure.

    Raises:
        LookupError: there is no such figure.
    """
    return _PLACE.sub(lambda place: _figure(place[1], place[2] or "share"), text)


def _figure(path: str, form: str) -> str:
    value: Any = figures()
    for name in path.split("."):
        if isinstance(value, list):
            value = value[int(name)]
        elif name in value:
            value = value[name]
        else:
            raise LookupError(f"The lesson refers to a figure {path}, but there is no {name}.")
    return _FORMS[form](value)


def _of_network(name: str) -> dict[str, Any]:
    return _read(SHIPPED / name / RESULTS_FILE) | _read(SHIPPED / name / EVALUATION_FILE)


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))
