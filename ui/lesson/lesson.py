"""How it works: the lesson's text, and every tensor of a visitor's drawing in it."""

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
from model.picture import to_grey
from ui.api import Observe, ignore, picture_file
from ui.card import markdown
from ui.component import component
from ui.draw.drawings import EXAMPLES
from ui.draw.sketchpad import QuestionError, pad
from ui.lesson.practice.practice import offer, practice
from ui.message import answer, base64_of, frame, pixels

NETWORK, BASELINE = "mlp-32", "logistic"  # the lesson's own, and what it begins with
SHEET = 84  # px: as large as draw's own, which bounds what a drawing costs
SIDE, PEN = 280, 18  # the sketchpad's units, and its usual pen: ui/shared/constants.js
STYLES = (
    "shared/article",
    "shared/plots",
    "lesson/pictures",
    "lesson/outcomes",
    "lesson/practice/practice",
)
N_EXAMPLES = 4  # MNIST's images of each digit that can be chosen


def lesson(
    readers: Mapping[str, Reader],
    *,
    observe: Observe = ignore,
    trainings: Trainings | None = None,
) -> None:
    """Compose the lesson: a sketchpad, and the text that computes with what is drawn on it.

    Without `trainings` no network can be trained here.
    """
    reader, baseline = readers[NETWORK], readers[BASELINE]
    known = cache(fixed)

    def read(question: Any) -> dict[str, Any]:
        """Read the ink; see `message`, and ui/draw/sketchpad.js for the question."""
        try:
            label = label_of(question)
            started = time.perf_counter()
            ink = ink_of(question, reader)
            told = message(reader, baseline, ink, label=label)
            taken = time.perf_counter() - started
            observe("lesson", reader.name, {ink.reading.verdict: 1}, taken)
            return told
        except (QuestionError, DrawingError, PictureError) as error:
            return {"error": str(error)}

    def text(_: Any) -> dict[str, Any]:
        """Return the text, and what does not depend on the drawing."""
        return known(reader, baseline) | {"practice": offer(trainings)}

    most = reader.limits.max_points
    pad(read, models=[{"name": NETWORK, "chosen": True}], max_points=most, lesson=True)
    component(
        "lesson/lesson",
        server_functions=[text, *practice(trainings, limits=reader.limits)],
        styles=STYLES,
    )


class Ink(NamedTuple):
    """What a visitor has drawn or opened, and what the lesson's network makes of it."""

    reading: Reading
    sheet: np.ndarray  # (H, W) lightness, as the sketchpad shows it; a picture is its own


def ink_of(question: Any, reader: Reader) -> Ink:
    """Read what the page holds: strokes, or where there are none a picture.

    Raises:
        QuestionError, DrawingError, PictureError: it cannot be read.
    """
    if not isinstance(question, dict):
        raise QuestionError("A question needs `strokes` or `picture`.")
    strokes = question.get("strokes")
    if strokes is not None:
        reading = reader.read_strokes(strokes)
        assert reading.drawing
        return Ink(reading, _sheet(reading.drawing.points))
    # Decoded once: the page's pictures are no larger than what a reader would shrink them to.
    grey, _ = to_grey(picture_file({"url": question.get("picture")}), reader.limits.max_pixels)
    return Ink(reader.read(grey), grey)


def label_of(question: Any) -> int | None:
    """Return the digit that a visitor says it is; None where nothing is said.

    Raises:
        QuestionError: it is no digit.
    """
    label = question.get("chosen") if isinstance(question, dict) else None
    if label is None or (type(label) is int and 0 <= label < N_CLASSES):
        return label
    raise QuestionError("A label is a digit.")


def _sheet(points: list[np.ndarray]) -> np.ndarray:
    """Draw strokes, each (P, 3), where they lie on the sketchpad: (SHEET, SHEET) uint8.

    Ink is black, paper is white.
    """
    zoom = SHEET / SIDE
    if not points:
        return np.full((SHEET, SHEET), 255, np.uint8)
    # A line far outside would be cut into pieces without end.
    lines = [each[:, :2].clip(0, SIDE) * zoom for each in points]
    pen = PEN * zoom * float(np.concatenate(points)[:, 2].mean())
    ink = rasterize(lines, pen_width=pen, height=SHEET, width=SHEET)
    return (255 - 255 * ink).round().astype(np.uint8)


def message(reader: Reader, baseline: Reader, ink: Ink, *, label: int | None) -> dict[str, Any]:
    """Return what the page draws of a reading: for the sketchpad, and for the lesson."""
    reading = ink.reading
    said = int(reading.logits.argmax()) if label is None else label
    names = live.names_for(reader, baseline, reading, sheet=ink.sheet, label=said)
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
    """Return the stages of preprocessing, and the digit that the network would read at each.

    The last is what it sees: of a picture the last of `stages`, of strokes one more.
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
    """Return the logits that the network would compute if it had no ReLU."""
    return reader.cpu_model.layers[-1](torch.from_numpy(pre_activations)).tolist()


def fixed(reader: Reader, baseline: Reader) -> dict[str, Any]:
    """Return what does not depend on the drawing: text, weights, MNIST's images and figures."""
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
    """Return a part as the page shows it: code and captions as they are, the rest as HTML."""
    html = _html(part.text) if part.kind in ("text", "try") else None
    text = None if html else part.text
    return {"kind": part.kind, "key": key, "name": part.name, "html": html, "text": text}


def _html(text: str) -> str:
    return "".join(part.html for part in markdown.parts(text))


def _linear(weight: torch.Tensor, bias: torch.Tensor) -> dict[str, Any]:
    return {"weight": base64_of(weight.numpy(force=True)), "bias": bias.tolist()}


def example() -> Strokes:
    """Return the drawing that a visitor finds who brings none: a 7."""
    drawings = map(json.loads, EXAMPLES.read_text(encoding="utf-8").splitlines())
    return next(drawing["strokes"] for drawing in drawings if drawing["digit"] == 7)


def _examples() -> list[dict[str, Any]]:
    train, _ = load_subset()
    rows = [(train.labels == digit).nonzero()[:N_EXAMPLES, 0] for digit in range(N_CLASSES)]
    return [
        {"label": int(train.labels[i]), "pixels": base64_of(train.images[i].numpy())}
        for i in torch.stack(rows, 1).flatten()  # each digit once, then once more
    ]


def _samples() -> dict[str, list[list[str]]]:
    """Return distorted and synthetic digits, in rows; see lesson/README.md."""
    with np.load(SAMPLES) as file:
        return {name: [[base64_of(image) for image in row] for row in file[name]] for name in file}


def _figures() -> dict[str, Any]:
    """Return the measured figures that pictures are made of."""
    known = figures()
    confusions = {name: known[name]["test"]["confusion"] for name in known if name != "lesson"}
    return {"lesson": known["lesson"], "confusions": confusions}
