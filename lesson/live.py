"""Run the lesson's live code for one drawing; the page shows the results below the code."""

import ast
from collections.abc import Mapping
from functools import cache
from types import CodeType
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from lesson.data import load_subset
from lesson.fit import BATCH_SIZE
from lesson.source import steps
from model import Reader, Reading
from model.preprocess import preprocess


def names_for(
    reader: Reader, logistic: Reader, reading: Reading, *, sheet: np.ndarray, label: int
) -> dict[str, Any]:
    """Return the names that are defined before the first line of live code, with their values.

    `reading` is the reader's result for the drawing on `sheet`, (H, W) lightness. `label` is the
    label that the visitor has chosen. `images` is a batch of shipped images, in which the drawing
    replaces the first. All tensors and layers are on the CPU.
    """
    images, labels = (tensor.clone() for tensor in _batch())
    drawing = torch.from_numpy(reading.input)[None]  # (1, 28, 28)
    images[0], labels[0] = drawing, label
    layer1, layer2 = reader.cpu_model.layers
    return {
        "torch": torch, "F": F, "preprocess": preprocess, "logistic": logistic.cpu_model,
        "layer1": layer1, "layer2": layer2, "temperature": reader.temperature,
        "drawing": drawing, "images": images, "labels": labels, "sheet": sheet,
    }  # fmt: skip


def run(names: Mapping[str, Any]) -> dict[str, str]:
    """Run all live code in order; return the values of each part's expressions as text.

    The keys are "STEP-PART"; steps are counted from 1, parts from 0. `names` is not changed.
    """
    known = dict(names)
    return {key: _run(codes, known) for key, codes in _compiled().items()}


def _run(codes: list[tuple[CodeType, bool]], known: dict[str, Any]) -> str:
    shown = []
    for code, is_expression in codes:
        value = eval(code, known)
        if is_expression:
            shown.append(repr(value))
    return "\n".join(shown)


@cache
def _compiled() -> dict[str, list[tuple[CodeType, bool]]]:
    return {
        f"{step.number}-{i}": [_compile(node) for node in ast.parse(part.text).body]
        for step in steps()
        for i, part in enumerate(step.parts)
        if part.kind == "live"
    }


def _compile(node: ast.stmt) -> tuple[CodeType, bool]:
    """Compile a statement; return whether it is an expression, whose value is shown."""
    if isinstance(node, ast.Expr):
        return compile(ast.Expression(node.value), "<lesson>", "eval"), True
    return compile(ast.Module([node], []), "<lesson>", "exec"), False


@cache
def _batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Return a batch of shipped images, (128, 1, 28, 28) float32 in 0..1, and their labels."""
    train, _ = load_subset()
    images = train.images[:BATCH_SIZE].reshape(-1, 1, 28, 28) / 255
    return images, train.labels[:BATCH_SIZE]
