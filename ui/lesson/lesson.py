"""The page "How it works": the lesson, with numbers computed from the visitor's drawing."""

import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch

from lesson import live
from lesson.data import SAMPLES, load_subset
from lesson.figures import figures
from lesson.framing import ANEW, Stage, stages
from lesson.source import Part, Step, introduction, steps
from lesson.trainings import Trainings
from model import DrawingError, PictureError, Reader, Reading
from model.drawing import Strokes, rasterize
from model.mlp import N_CLASSES
from model.picture import to_pixels
from ui.api import Observe, no_metrics, picture_file
from ui.card import markdown
from ui.component import component
from ui.draw.drawings import EXAMPLES
from ui.draw.sketchpad import RequestError, pad
from ui.lesson.practice.practice import offer, practice
from ui.message import answer, base64_of, frame, pixels

NETWORK, BASELINE = (
    "mlp-32",
    "logistic",
)  # the lesson's network; logistic regression, for comparison
SHEET = 84  # px; the same as model/drawing.py's sheet, which limits the cost of a drawing
SIDE, PEN = 280, 18  # size and default stroke width of the sketchpad, as in ui/shared/constants.js
STYLES = (
    "shared/article",
    "shared/plots",
    "lesson/pictures",
    "lesson/outcomes",
    "lesson/practice/practice",
)
N_EXAMPLES = 4  # MNIST images of each digit that the visitor can choose from


def lesson(
    readers: Mapping[str, Reader],
    *,
    observe: Observe = no_metrics,
    trainings: Trainings | None = None,
) -> None:
    """Build the lesson: a sketchpad, and the text with numbers computed from the drawing.

    Visitors cannot train a network if `trainings` is None.
    """
    reader, baseline = readers[NETWORK], readers[BASELINE]
    known = cache(fixed)

    def read(request: Any) -> dict[str, Any]:
        """Read a drawing. ui/draw/sketchpad.js sends the request; `message` makes the response."""
        try:
            label = label_of(request)
            started = time.perf_counter()
            ink = ink_of(request, reader)
            response = message(reader, baseline, ink, label=label)
            taken = time.perf_counter() - started
            observe("lesson", reader.name, {ink.reading.verdict: 1}, taken)
            return response
        except (RequestError, DrawingError, PictureError) as error:
            return {"error": str(error)}

    def text(_: Any) -> dict[str, Any]:
        """Return the lesson's text and everything else that does not depend on the drawing."""
        return known(reader, baseline) | {"practice": offer(trainings)}

    most = reader.limits.max_points
    pad(read, models=[{"name": NETWORK, "chosen": True}], max_points=most, lesson=True)
    component(
        "lesson/lesson",
        server_functions=[text, *practice(trainings, limits=reader.limits)],
        styles=STYLES,
    )


class Ink(NamedTuple):
    """A visitor's drawing or picture, and its reading by the lesson's network."""

    reading: Reading
    # The sketchpad's content, or the uploaded picture itself: (H, W), or (H, W, 3) in colour.
    sheet: np.ndarray


def ink_of(request: Any, reader: Reader) -> Ink:
    """Read the strokes of a request, or its picture if `strokes` is missing or None.

    Raises:
        RequestError: the request has neither.
        DrawingError, PictureError: the strokes or the picture are invalid.
    """
    if not isinstance(request, dict):
        raise RequestError("The request needs `strokes` or `picture`.")
    strokes = request.get("strokes")
    if strokes is not None:
        reading = reader.read_strokes(strokes)
        assert reading.drawing
        return Ink(reading, _sheet([*reading.drawing.points, *reading.drawing.taps]))
    file = picture_file({"url": request.get("picture")})
    pixels, _ = to_pixels(file, reader.limits.max_pixels)
    return Ink(reader.read(file), pixels)  # the reading's boxes are in px of the file


def label_of(request: Any) -> int | None:
    """Return the label that the visitor has chosen for the drawing, or None.

    Raises:
        RequestError: the label is not a digit.
    """
    label = request.get("chosen") if isinstance(request, dict) else None
    if label is None or (type(label) is int and 0 <= label < N_CLASSES):
        return label
    raise RequestError("The label must be a digit, 0 to 9, or null.")


def _sheet(points: list[np.ndarray]) -> np.ndarray:
    """Draw strokes, each (P, 3), where they lie on the sketchpad: (SHEET, SHEET) uint8.

    Ink is black, paper is white.
    """
    zoom = SHEET / SIDE
    if not points:
        return np.full((SHEET, SHEET), 255, np.uint8)
    # Clip the points, because a line far outside the sheet would be split into very many segments.
    lines = [each[:, :2].clip(0, SIDE) * zoom for each in points]
    pen = PEN * zoom * float(np.concatenate(points)[:, 2].mean())
    ink = rasterize(lines, pen_width=pen, height=SHEET, width=SHEET)
    return (255 - 255 * ink).round().astype(np.uint8)


def message(reader: Reader, baseline: Reader, ink: Ink, *, label: int | None) -> dict[str, Any]:
    """Return the response to the page: a reading for the sketchpad and one for the lesson."""
    reading = ink.reading
    assumed = int(reading.logits.argmax()) if label is None else label
    names = live.names_for(reader, baseline, reading, sheet=ink.sheet, label=assumed)
    (layer,) = reading.layers
    return {
        "readings": [{"model": reading.model, "frame": frame(reading)}],
        "lesson": {
            **answer(reading),
            "input": base64_of(reading.input),
            "pre_activations": layer.pre_activations.tolist(),
            "activations": layer.activations.tolist(),
            "label": label,
            "logistic": answer(baseline.read_again(reading)),
            "without_relu": _without_relu(reader, layer.pre_activations),
            "stages": _stages(reader, ink),
            "outputs": live.run(names),
        },
    }


def _stages(reader: Reader, ink: Ink) -> list[dict[str, Any]]:
    """Return the stages of preprocessing, with the digit that the network reads at each.

    The last stage is the network's input. Strokes have one stage more than pictures, ANEW.
    """
    anew = [] if ink.reading.drawing is None else [Stage(ANEW, ink.reading.input)]
    names, images = zip(*stages(ink.sheet), *anew, strict=True)
    seen = np.stack(images)
    probabilities = reader.probabilities(seen)
    digits, confidences = probabilities.argmax(axis=1), probabilities.max(axis=1)
    rows = zip(names, seen, digits.tolist(), confidences.tolist(), strict=True)
    return [
        {"name": name, "pixels": pixels(image), "digit": digit, "confidence": confidence}
        for name, image, digit, confidence in rows
    ]


def _without_relu(reader: Reader, pre_activations: np.ndarray) -> list[float]:
    """Return the logits of the network without its ReLU."""
    return reader.cpu_model.layers[-1](torch.from_numpy(pre_activations)).tolist()


def fixed(reader: Reader, baseline: Reader) -> dict[str, Any]:
    """Return what does not depend on the drawing: text, weights, sample images and figures."""
    weight1, bias1, weight2, bias2, *_ = reader.cpu_model.parameters()
    weight, bias, *_ = baseline.cpu_model.parameters()
    return {
        "introduction": _html(introduction()),
        "steps": [_step(step) for step in steps()],
        "network": {
            "name": reader.name,
            "temperature": reader.temperature,
            "layer1": _linear(weight1, bias1),
            "layer2": _linear(weight2, bias2),
            "collapsed": _linear(weight2 @ weight1, weight2 @ bias1 + bias2),
        },
        "logistic": _linear(weight, bias),
        "example": example(),
        "examples": _examples(),
        "samples": _samples(),
        "figures": _figures(),
    }


def _step(step: Step) -> dict[str, Any]:
    shown = [(i, part) for i, part in enumerate(step.parts) if part.kind != "notebook"]
    return {
        "number": step.number,
        "name": step.name,
        "title": step.title,
        "idea": _html(step.idea),
        "parts": [_part(part, f"{step.number}-{i}") for i, part in shown],
        "maths": "".join(_html(part.text) for part in step.maths),
    }


def _part(part: Part, key: str) -> dict[str, Any]:
    """Return a part for the page: code and captions as plain text, the others as HTML."""
    html = _html(part.text) if part.kind in ("text", "try") else None
    text = None if html else part.text
    return {"kind": part.kind, "key": key, "name": part.name, "html": html, "text": text}


def _html(text: str) -> str:
    return "".join(part.html for part in markdown.parts(text))


def _linear(weight: torch.Tensor, bias: torch.Tensor) -> dict[str, Any]:
    return {"weight": base64_of(weight.numpy(force=True)), "bias": bias.tolist()}


def example() -> Strokes:
    """Return the strokes of a 7, which are shown to visitors without a drawing."""
    drawings = map(json.loads, EXAMPLES.read_text(encoding="utf-8").splitlines())
    return next(drawing["strokes"] for drawing in drawings if drawing["digit"] == 7)


def _examples() -> list[dict[str, Any]]:
    train, _ = load_subset()
    rows = [(train.labels == digit).nonzero()[:N_EXAMPLES, 0] for digit in range(N_CLASSES)]
    return [
        {"label": int(train.labels[i]), "pixels": base64_of(train.images[i].numpy())}
        for i in torch.stack(rows, 1).flatten()  # all ten digits, then all ten again
    ]


def _samples() -> dict[str, list[list[str]]]:
    """Return the rows of samples.npz; see lesson/README.md."""
    with np.load(SAMPLES) as file:
        return {name: [[base64_of(image) for image in row] for row in file[name]] for name in file}


def _figures() -> dict[str, Any]:
    """Return the measured figures that the pictures show."""
    known = figures()
    confusions = {name: known[name]["test"]["confusion"] for name in known if name != "lesson"}
    return {"lesson": known["lesson"], "confusions": confusions}
