"""Explain why weights or a config of another program do not fit, and how to convert them."""

import re
import reprlib
from collections.abc import Mapping
from typing import Any

from model.shapes import N_CLASSES, N_PIXELS

Tensors = Mapping[str, tuple[tuple[int, ...], str]]  # shape and dtype of each key
EXAMPLE_CONFIG = '{"name": "mine", "hidden_sizes": [32], "temperature": 1.0, "threshold": 1.0}'
MAX_REPR = 800  # characters
_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxlist, _REPR.maxstring = 2, 20, 80


def printable(text: str, max_length: int = 80) -> str:
    """Return untrusted text as one short line without control characters."""
    if len(text) <= max_length and text.isprintable():
        return text
    return repr(text[:max_length]) + ("…" if len(text) > max_length else "")


def shorten(value: object) -> str:
    """Return the repr of an untrusted value, cut off after MAX_REPR characters."""
    text = _REPR.repr(value)
    return text if len(text) <= MAX_REPR else f"{text[:MAX_REPR]}…"


def explain_weights(tensors: Tensors, hidden_sizes: tuple[int, ...], *, max_keys: int) -> str:
    """Return how to convert weights that do not fit; empty if the file is only damaged.

    `hidden_sizes` are those of the config. Weights with more than `max_keys` keys are treated as
    another kind of network.
    """
    layers = _linear_layers(tensors) if len(tensors) <= max_keys else None
    if layers is None:
        reads_pixels = any(
            len(shape) == 2 and shape[1] == N_PIXELS for shape, _ in tensors.values()
        )
        if reads_pixels and len(tensors) <= max_keys:
            return ""
        return (
            f"This is another kind of network: expected only linear layers, {N_PIXELS} pixels → "
            f"hidden → {N_CLASSES} digits."
        )
    sentences = []
    expected = [f"layers.{i}" for i in range(len(layers))]
    if layers != expected:
        renames = zip(layers, expected, strict=True)
        names = ", ".join(f"{printable(old)}.* to {new}.*" for old, new in renames)
        sentences.append(f"The layers fit, but under other names: rename {names}.")
    sizes = [tensors[f"{layer}.weight"][0][0] for layer in layers[:-1]]
    if sizes != list(hidden_sizes):
        sentences.append(f"These are the weights of hidden_sizes {sizes}.")
    if any(dtype != "F32" for _, dtype in tensors.values()):
        sentences.append("Convert them with tensor.float().")
    if not any(key.startswith("not_a_digit.") for key in tensors):
        # exp(-100) is negligible in a softmax
        sentences.append(
            "This project's networks have an eleventh output, not_a_digit: weights of 0 and a "
            "bias of -100 make it accept every picture."
        )
    return " ".join(sentences)


def explain_config(config: Mapping[str, Any]) -> str:
    """Return what to do about a config.json with unknown or missing keys."""
    if config.keys() & {"model_type", "architectures", "transformers_version"}:
        return "This is a config of transformers, whose models are of other kinds."
    return f"Write one such as {EXAMPLE_CONFIG}."


def _linear_layers(tensors: Tensors) -> list[str] | None:
    """Return the names of the linear layers from pixels to digits; None if they do not chain."""
    remaining = sorted(
        (
            key.removesuffix(".weight")
            for key, (shape, _) in tensors.items()
            if key.endswith(".weight") and len(shape) == 2 and key != "not_a_digit.weight"
        ),
        key=_natural_order,
    )
    names, n_inputs = [], N_PIXELS
    while remaining:
        fitting = [name for name in remaining if tensors[f"{name}.weight"][0][1] == n_inputs]
        if not fitting or f"{fitting[0]}.bias" not in tensors:
            return None
        names.append(fitting[0])
        remaining.remove(fitting[0])
        n_inputs = tensors[f"{fitting[0]}.weight"][0][0]
    return names if names and n_inputs == N_CLASSES else None


def _natural_order(name: str) -> list[tuple[int, str]]:
    """Return a sort key that puts fc10 after fc9."""
    parts = re.split(r"(\d{1,9})", name)  # int() refuses thousands of digits
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
