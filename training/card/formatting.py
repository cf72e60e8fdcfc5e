"""Format and select figures for the template of the card, which calls these functions."""

import json
from collections.abc import Mapping
from typing import Any

from training.metrics import wilson

Figures = Mapping[str, Any]


def percent(share: float, digits: int = 2) -> str:
    """Format a share, 0 to 1, as a percentage."""
    return f"{100 * share:.{digits}f} %"


def sure(share: float) -> str:
    """Format a confidence. A value below 1 is never rounded to 100 %."""
    return "more than 99.9 %" if 0.9995 <= share < 1 else percent(share, 1)


def part(share: float, n: int) -> str:
    """Format a share of n with its confidence interval, to one decimal."""
    measured = wilson(round(share * n), n)
    low, high = (f"{100 * measured[key]:.1f}" for key in ("low", "high"))
    return f"{percent(share, 1)} ({low} to {high})"


def area(auroc: float) -> str:
    """Format an AUROC. A value below 1 is never rounded to 1."""
    return "above 0.9999" if 0.99995 <= auroc < 1 else f"{auroc:.4f}"


def with_article(digit: int) -> str:
    """Format a digit with its article."""
    return f"an {digit}" if digit == 8 else f"a {digit}"


def points(share: float) -> str:
    """Format a difference of shares in percentage points."""
    return f"{100 * share:.2f} points"


def interval(share: Figures) -> str:
    """Format a share with its confidence interval."""
    low, high = (f"{100 * share[key]:.2f}" for key in ("low", "high"))
    return f"{percent(share['value'])} ({low} to {high})"


def by_writer(drawn: Figures) -> str:
    """Format the lowest and the highest accuracy among the writers of the drawings."""
    shares = [100 * each["right"] / each["n"] for each in drawn["writers"]]
    return f"by writer {min(shares):.1f} to {max(shares):.1f}"


def number(value: float) -> str:
    """Format a number without decimals, with thousands separators."""
    return f"{value:,.0f}"


def plain(value: object) -> str:
    """Format a hyperparameter or a threshold."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else f"{value}"


def quoted(text: str) -> str:
    """Format a string as a Python literal in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def wrong(test: Figures) -> int:
    """Count the misread test images."""
    return sum(times for times, _, _ in confused(test))


def confused(test: Figures) -> list[tuple[int, int, int]]:
    """Return (times, label, digit) for each pair of digits confused, the most frequent first."""
    pairs = [
        (times, label, digit)
        for label, row in enumerate(test["confusion"])
        for digit, times in enumerate(row)
        if label != digit and times
    ]
    return sorted(pairs, key=lambda pair: (-pair[0], pair[1:]))


def least_rejected(rejection: Figures) -> tuple[str, Figures]:
    """Return the kind of non-digit that is rejected least often, and its figures."""
    return min(rejection["kinds"].items(), key=lambda each: each[1]["refused"])


def alteration(name: str) -> str:
    """Format the name of an alteration. In evaluation.json, "pen" is the stroke width."""
    return name.replace("pen ", "stroke width ")


def most_changed(changes: Figures) -> tuple[str, float]:
    """Return the alteration that changes most answers, and their share."""
    return max(changes["changed"].items(), key=lambda each: each[1])
