"""Recognise weights that are not this project's, to say what would have to change."""

import re
import reprlib
from collections.abc import Mapping
from typing import Any

from model.mlp import N_CLASSES, N_PIXELS

Found = Mapping[str, tuple[tuple[int, ...], str]]  # shape and dtype of each key
EXAMPLE = '{"name": "mine", "hidden_sizes": [32], "temperature": 1.0, "threshold": 1.0}'
_BRIEF = reprlib.Repr()
_BRIEF.maxlevel, _BRIEF.maxlist, _BRIEF.maxstring = 2, 20, 80


def plain(text: str, most: int = 80) -> str:
    """Return a stranger's text as it can be printed: in one line, a short one, no escape codes."""
    fits = len(text) <= most
    return text if fits and text.isprintable() else repr(text[:most]) + ("" if fits else "…")


def brief(value: object) -> str:
    """Return the beginning of a stranger's value, as Python writes it."""
    text = _BRIEF.repr(value)
    return text if len(text) <= 800 else f"{text[:800]}…"


def hint(found: Found, hidden_sizes: tuple[int, ...], *, most: int) -> str:
    """Return how these weights could be made to fit; empty where there is nothing to say.

    `hidden_sizes` is what their config says; more than `most` keys are no network of ours.
    """
    layers = _layers(found) if len(found) <= most else None
    if layers is None:
        damaged = len(found) <= most and any(
            len(shape) == 2 and shape[1] == N_PIXELS for shape, _ in found.values()
        )
        return "" if damaged else (
            f"This is another kind of network: expected linear layers alone, {N_PIXELS} pixels → "
            f"hidden → {N_CLASSES} digits."
        )  # fmt: skip
    sentences = []
    sizes = [found[f"{layer}.weight"][0][0] for layer in layers[:-1]]
    ours = [f"layers.{i}" for i in range(len(layers))]
    if layers != ours:
        names = ", ".join(
            f"{plain(old)}.* to {new}.*" for old, new in zip(layers, ours, strict=True)
        )
        sentences.append(f"It looks like this network under other names: rename {names}.")
    if sizes != list(hidden_sizes):
        sentences.append(f"These are the weights of hidden_sizes {sizes}.")
    if any(dtype != "F32" for _, dtype in found.values()):
        sentences.append("Convert them by tensor.float().")
    if not any(key.startswith("not_a_digit.") for key in found):
        # exp(-100) is nothing beside the other ten
        sentences.append(
            "This project's networks have an eleventh output, not_a_digit: weights of 0 and a "
            "bias of -100 never refuse a picture."
        )
    return " ".join(sentences)


def config_hint(config: Mapping[str, Any]) -> str:
    """Return what to do about a config.json that is not this project's."""
    if config.keys() & {"model_type", "architectures", "transformers_version"}:
        return "This is a config of transformers, whose models are of other kinds."
    return f"Write one such as {EXAMPLE}."


def _layers(found: Found) -> list[str] | None:
    """Return the names of linear layers that lead from the pixels to the digits, in that order."""
    left = sorted(
        (key.removesuffix(".weight") for key, (shape, _) in found.items()
         if key.endswith(".weight") and len(shape) == 2 and key != "not_a_digit.weight"),
        key=_natural,
    )  # fmt: skip
    names, n_in = [], N_PIXELS
    while left:
        fit = [name for name in left if found[f"{name}.weight"][0][1] == n_in]
        if not fit or (f"{fit[0]}.bias" not in found):
            return None
        names.append(fit[0])
        left.remove(fit[0])
        n_in = found[f"{fit[0]}.weight"][0][0]
    return names if names and n_in == N_CLASSES else None


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort fc10 after fc9."""
    parts = re.split(r"(\d{1,9})", name)  # int() refuses thousands of digits
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
