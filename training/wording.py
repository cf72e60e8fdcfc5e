"""How a model card writes figures, and what it calls things."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from model.mlp import N_CLASSES, N_PIXELS
from training.evaluate import wilson

Figures = Mapping[str, Any]


def percent(share: float, digits: int = 2) -> str:
    """Write a share, 0..1, as a percentage."""
    return f"{100 * share:.{digits}f} %"


def sure(share: float) -> str:
    """Write a confidence: one that is not certain is never rounded to 100 %."""
    return "more than 99.9 %" if 0.9995 <= share < 1 else percent(share, 1)


def part(share: float, n: int) -> str:
    """Write a share of n with its confidence interval, to a decimal."""
    measured = wilson(round(share * n), n)
    low, high = (f"{100 * measured[key]:.1f}" for key in ("low", "high"))
    return f"{percent(share, 1)} ({low} to {high})"


def area(auroc: float) -> str:
    """Write an AUROC: one that is not perfect is never rounded to 1."""
    return "above 0.9999" if 0.99995 <= auroc < 1 else f"{auroc:.4f}"


def a(digit: int) -> str:
    """Write a digit with its article."""
    return f"an {digit}" if digit == 8 else f"a {digit}"


def points(share: float) -> str:
    """Write a difference of shares in percentage points."""
    return f"{100 * share:.2f} points"


def interval(share: Figures) -> str:
    """Write a share with its confidence interval."""
    low, high = (f"{100 * share[key]:.2f}" for key in ("low", "high"))
    return f"{percent(share['value'])} ({low} to {high})"


def by_writer(drawn: Figures) -> str:
    """Write the lowest and the highest share of a writer's drawings that is read right."""
    shares = [100 * each["right"] / each["n"] for each in drawn["writers"]]
    return f"by writer {min(shares):.1f} to {max(shares):.1f}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table in markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)


def image(name: str, alt: str) -> str:
    """Write a plot on a line of its own; its text says what it shows to those who don't see it."""
    return f"![{alt}](plots/{name}.png)"


def not_measured(what: str, command: str = "python -m training.evaluate CHECKPOINT") -> str:
    """Say which command would measure it."""
    return f"{what}: not measured yet; `{command}` does."


def sizes(results: Figures) -> str:
    """Write a network's layers, from pixels to logits."""
    layers = (N_PIXELS, *results["recipe"]["hidden_sizes"], N_CLASSES)
    return " → ".join(f"{size:,}" for size in layers)


def refuses(results: Figures) -> bool:
    """Return whether the network learned to say that ink is no digit."""
    return results.get("threshold", 1) < 1


def network(results: Figures) -> str:
    """Say what sort of network it is."""
    if results["recipe"]["hidden_sizes"]:
        return "a feed-forward ReLU network"
    return "logistic regression, a linear network without a hidden layer"
