"""The calls of each valid caller, with the results of Reader in Python.

Each caller has a different drawing, so results that reach the wrong caller are detected.
"""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from benchmarks.browser import ROOT
from model import Reader, Reading
from model.explain import contributions, stroke_contributions, template
from training.synthetic.canvas import STROKE_WIDTH, canvas_picture

TOLERANCE = 1e-6
BATCH = 20  # pictures
WAYS = ("run", "call/v2", "queue")  # "queue" is the one that gradio_client uses


class Question(NamedTuple):
    """A call, and its expected result."""

    way: str
    endpoint: str
    arguments: dict[str, Any]  # by name; bytes are uploaded first
    expected: Any


def questions(readers: Mapping[str, Reader], number: int) -> list[Question]:
    """Return the calls of one caller: each endpoint in each way, with its own drawing."""
    reader = list(readers.values())[number % len(readers)]
    strokes = drawing(number)
    file = png(canvas_picture(strokes, STROKE_WIDTH))
    by_strokes, by_picture = reader.read_strokes(strokes), reader.read(io.BytesIO(file))
    whole = explanation(reader, by_strokes) | stroke_explanation(reader, by_strokes, strokes)
    url = {"url": "data:image/png;base64," + base64.b64encode(file).decode()}
    images = batch(number)
    asked = [
        ("predict_strokes", {"strokes": strokes}, prediction(by_strokes)),
        ("explain_strokes", {"strokes": strokes}, whole),
        ("predict", {"image": url}, prediction(by_picture)),
        ("predict", {"image": file}, prediction(by_picture)),
        ("explain", {"image": file}, explanation(reader, by_picture)),
        ("predict_batch", {"file": npy(images)}, batch_prediction(reader, images)),
    ]
    models = [info(each) for each in readers.values()]
    return [
        *(Question(way, "models", {}, models) for way in WAYS),
        *(
            Question(way, endpoint, {**ink, "model": reader.name}, expected)
            for endpoint, ink, expected in asked
            for way in WAYS
        ),
    ]


def drawing(number: int) -> list:
    """Return an example drawing, randomly transformed and with noise."""
    rng = np.random.default_rng(number)
    lines = (ROOT / "ui" / "draw" / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    strokes = json.loads(lines[number % len(lines)])["strokes"]
    change = np.eye(2) + rng.uniform(-0.15, 0.15, (2, 2))
    return [
        (np.array(stroke) @ change + rng.normal(0, 1, (len(stroke), 2))).round(1).tolist()
        for stroke in strokes
    ]


def batch(number: int) -> np.ndarray:
    """Return the MNIST test images that one caller sends: (BATCH, 28, 28) uint8."""
    with np.load(ROOT / "tests" / "data" / "mnist-test-500.npz") as file:
        return np.random.default_rng(number).choice(file["images"], BATCH)


def png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def npy(images: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, images)
    return file.getvalue()


def prediction(reading: Reading) -> dict[str, Any]:
    """Return the expected result of /predict."""
    probabilities = reading.probabilities
    return {
        "verdict": reading.verdict,
        "digit": reading.digit,
        "confidence": reading.confidence,
        "probabilities": None if probabilities is None else probabilities.tolist(),
        "not_a_digit": reading.not_a_digit,
        "model": reading.model,
    }


def explanation(reader: Reader, reading: Reading) -> dict[str, Any]:
    """Return the expected result of /explain."""
    terms = contributions(reader.model, reading)
    names = ("pre_activations", "activations")
    return prediction(reading) | {
        "input": reading.input.tolist(),
        "removed": [{"kind": kind, "box": [*box]} for kind, box in reading.preprocessing.removed],
        "layers": [{n: getattr(layer, n).tolist() for n in names} for layer in reading.layers],
        "logits": reading.logits.tolist(),
        "contributions": terms.contributions.tolist(),
        "bias": terms.bias.tolist(),
        "not_a_digit_logit": reading.not_a_digit_logit,
        "not_a_digit_contributions": terms.not_a_digit.tolist(),
        "not_a_digit_bias": terms.not_a_digit_bias,
    }


def stroke_explanation(reader: Reader, reading: Reading, strokes: list) -> dict[str, Any]:
    """Return the expected fields of /explain_strokes that /explain does not have."""
    whole = template(reader.model, reading)
    added = stroke_contributions(whole, reading, strokes)
    return {
        "strokes": added[:10].tolist(),
        "strokes_bias": whole.bias[:10].tolist(),
        "not_a_digit_strokes": added[10].tolist(),
        "not_a_digit_strokes_bias": float(whole.bias[10]),
    }


def batch_prediction(reader: Reader, images: np.ndarray) -> dict[str, Any]:
    """Return the expected result of /predict_batch for an array."""
    readings = reader.read_batch(images)
    return {
        "digits": [reading.digit for reading in readings],
        "confidences": [reading.confidence for reading in readings],
        "verdicts": [reading.verdict for reading in readings],
        "names": None,
        "model": reader.name,
    }


def info(reader: Reader) -> dict[str, Any]:
    """Return the expected result of /models for one model."""
    return {
        "name": reader.name,
        "hidden_sizes": list(reader.model.hidden_sizes),
        "parameters": sum(p.numel() for p in reader.model.parameters()),
        "val_accuracy": reader.results.get("val_accuracy"),
        "test_accuracy": reader.evaluation["test"]["accuracy"]["value"],
        "temperature": reader.temperature,
        "threshold": reader.threshold,
        "revision": reader.revision,
    }


def same(got: Any, wanted: Any) -> bool:
    """Return whether two results are equal, with a tolerance for numbers."""
    if got == wanted:  # the usual case: exactly equal
        return True
    if isinstance(wanted, dict):
        return isinstance(got, dict) and got.keys() == wanted.keys() and _all_same(got, wanted)
    if isinstance(wanted, list):
        many = isinstance(got, list) and len(got) == len(wanted)
        return many and all(same(g, w) for g, w in zip(got, wanted, strict=True))
    if isinstance(wanted, float):
        return isinstance(got, int | float) and abs(got - wanted) <= TOLERANCE
    return False


def _all_same(got: dict, wanted: dict) -> bool:
    return all(same(got[name], wanted[name]) for name in wanted)


def owners(answer: Any, question: Question, everyone: Sequence[Sequence[Question]]) -> list[int]:
    """Return the callers that expect this result."""
    return [
        number
        for number, asked in enumerate(everyone)
        if any(q.endpoint == question.endpoint and same(answer, q.expected) for q in asked)
    ]
