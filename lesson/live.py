"""The lesson's live code, run for one drawing: what stands beside the code is what it gave."""

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
    """Return what the live code knows before its first line, by name.

    `reading` is the reader's, of the drawing on this sheet, (H, W) lightness as `preprocess` takes
    it; `label` is what its visitor says it is. The batch is of the images that ship, and the
    drawing takes its first place. All tensors and layers are on the CPU.
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
    """Run all live code in its order; return what each part's expressions gave.

    The keys are "STEP-PART", counted from 1 and from 0. `names` is left as it is.
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
    """Compile a statement; say whether it is an expression, of which the value is shown."""
    if isinstance(node, ast.Expr):
        return compile(ast.Expression(node.value), "<lesson>", "eval"), True
    return compile(ast.Module([node], []), "<lesson>", "exec"), False


@cache
def _batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Return a batch of the images that ship: (128, 1, 28, 28) float32 in 0..1, and labels."""
    train, _ = load_subset()
    images = train.images[:BATCH_SIZE].reshape(-1, 1, 28, 28) / 255
    return images, train.labels[:BATCH_SIZE]
