"""Write the lesson as a notebook, notebooks/lesson.ipynb, from the same source as the page.

Run: python -m lesson.notebook

The output is deterministic. The notebook is stored without outputs of its cells.
"""

import ast
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from lesson.source import Part, Step, introduction, steps

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "lesson.ipynb"
TITLE = """\
# How a network reads digits

This notebook contains the lesson of the app's page *How it works*: from MNIST's tensors to a
network that you train. Install the requirements once, in the project's folder:

    pip install -r requirements-training.txt jupyterlab
    jupyter lab notebooks/lesson.ipynb

Run the cells in order, because each uses names from the cells before. MNIST is downloaded into
`data` if it is not there yet. If the download fails, the notebook prints a message and uses the
9,000 images that are part of the project. The *Try it* exercises are for the page, which reads a
drawing while you draw: run `python app.py` and open http://127.0.0.1:7860/lesson."""
PLACE = """\
import os
import sys
from pathlib import Path

here = Path.cwd()
root = next(folder for folder in [here, *here.parents] if (folder / "lesson" / "steps").is_dir())
os.chdir(root)  # so that `data` is the project's folder
sys.path.insert(0, str(root))"""
IMPORTS = """\
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.utils.data import DataLoader, random_split

from lesson.data import SAMPLES, Digits, ShippedMNIST
from lesson.figures import figures
from lesson.fit import BATCH_SIZE, Student, evaluate
from lesson.framing import stages
from model import Reader
from model.preprocess import preprocess
from training.data import DataError, fetch, import_torchvision
from training.synthetic.canvas import canvas_picture

torchvision = import_torchvision()  # also works with another version of torch
MNIST, ToTensor = torchvision.datasets.MNIST, torchvision.transforms.ToTensor
torch.manual_seed(42)  # for reproducible numbers
torch.set_num_threads(1)  # small batches are slower on several threads"""
MNIST_FILES = """\
try:
    fetch("data")  # download what is missing, and verify every file
except DataError as error:
    print(error)
    print("This notebook now uses the 9,000 images that the project includes. Its figures differ.")
    MNIST = ShippedMNIST"""
STROKES = [[[50, 48], [155, 45], [90, 240]]]
DRAWING = f"""\
strokes = {STROKES}  # x to the right, y down; one list per stroke
label = 7  # the digit that it shows

reader = Reader.load("mlp-32", device="cpu")
logistic = Reader.load("logistic", device="cpu").model
layer1, layer2 = reader.model.layers
temperature = reader.temperature

reading = reader.read_strokes(strokes)
drawing = torch.from_numpy(reading.input)[None]  # (1, 28, 28)
reading.digit, reading.confidence"""
DRAWING_TEXT = """\
This cell defines a drawing and loads two of the shipped networks. You can replace the strokes by
your own and run all cells again."""


def notebook() -> dict[str, Any]:
    """Return the notebook in nbformat 4.5."""
    return {
        "cells": [*_beginning(), *(cell for step in steps() for cell in _step(step))],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def as_text() -> str:
    """Return the content of the notebook's file, formatted as by Jupyter."""
    return json.dumps(notebook(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _beginning() -> Iterator[dict[str, Any]]:
    yield _markdown("title", TITLE)
    yield _markdown("introduction", introduction())
    yield _code("place", PLACE)
    yield _code("imports", IMPORTS)
    yield _code("mnist", MNIST_FILES)
    yield _markdown("your-drawing", DRAWING_TEXT)
    yield _code("drawing", DRAWING)


def _step(step: Step) -> Iterator[dict[str, Any]]:
    yield _markdown(step.name, f"## {step.number}. {step.title}\n\n**{step.idea}**")
    for i, part in enumerate(step.parts):
        yield from _cells(f"{step.number}-{i}", part)
    yield _markdown(f"{step.name}-mathematics", "### The mathematics")
    for i, part in enumerate(step.maths):
        yield from _cells(f"{step.number}-mathematics-{i}", part)


def _cells(key: str, part: Part) -> Iterator[dict[str, Any]]:
    match part.kind:
        case "text":
            yield _markdown(key, part.text)
        case "try":
            yield _markdown(key, f"> **Try it.** {part.text}")
        case "source":
            yield _code(key, part.text)
        case "notebook":
            yield _code(key, _quiet(part.text))
        case "code" | "live":
            for i, code in enumerate(split(part.text)):
                yield _code(f"{key}-{i}" if i else key, code)
        case "picture":
            pass  # only on the page; a "notebook" part replaces it here


def split(code: str) -> list[str]:
    """Split code after each expression, because a cell shows only the value of its last one."""
    lines = code.splitlines(keepends=True)
    body = ast.parse(code).body
    ends = [node.end_lineno for node in body[:-1] if isinstance(node, ast.Expr)]
    return ["".join(lines[i:j]).strip("\n") for i, j in pairwise([0, *ends, len(lines)])]


def _quiet(code: str) -> str:
    """Add a semicolon to code that draws, so that the cell does not show a plot's repr."""
    return f"{code};" if isinstance(ast.parse(code).body[-1], ast.Expr) else code


def _markdown(key: str, text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": key, "metadata": {}, "source": _lines(text)}


def _code(key: str, text: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": key,
        "metadata": {},
        "outputs": [],
        "source": _lines(text),
    }


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def main() -> None:
    NOTEBOOK.parent.mkdir(exist_ok=True)
    NOTEBOOK.write_text(as_text(), encoding="utf-8", newline="\n")
    print(f"{NOTEBOOK.name}: {len(notebook()['cells'])} cells")


if __name__ == "__main__":
    main()
