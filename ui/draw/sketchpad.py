"""The sketchpad: strokes go to the server while they are drawn, readings come back.

Each answer is handed to the rest of the page as a `reading` event on the document.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import gradio as gr

from model import DrawingError, PictureError, Reader, Reading
from ui.api import Observe, ignore, picture_file
from ui.component import component
from ui.message import NOT_A_DIGIT, PARTS, answer_of, message


class QuestionError(ValueError):
    """The page did not ask as it does: some other program did."""


def sketchpad(readers: Mapping[str, Reader], *, default: str, observe: Observe = ignore) -> gr.HTML:
    """Return the sketchpad with its model choosers."""

    def read(question: Any) -> dict[str, Any]:
        """Read the ink with each of the models that are asked for; see ui/draw/sketchpad.js."""
        try:
            models = field(question, "models", list)
            if not 1 <= len(models) <= 2:
                raise QuestionError("Ask one model or two.")
            chosen, against = (_logit(question.get(name)) for name in ("chosen", "against"))
            parts = _parts(question.get("parts"))
            started = time.perf_counter()
            asked = [choose(readers, name) for name in models]
            places = _places(question.get("units"), asked)
            readings = [read_ink(asked[0], question)]
            readings += [reader.read_again(readings[0]) for reader in asked[1:]]
            for reader, reading in zip(asked, readings, strict=True):
                taken = time.perf_counter() - started
                observe("page", reader.name, {reading.verdict: 1}, taken)
            # Of two models that differ, each explains its own answer against the other's.
            others = [answer_of(reading) for reading in reversed(readings)]
            rivals = others if against is None else [against] * len(readings)
            return {
                "readings": [
                    message(
                        reader,
                        reading,
                        strokes=question.get("strokes"),
                        chosen=chosen,
                        against=rival,
                        place=place,
                        parts=parts,
                    )
                    for reader, reading, rival, place in zip(
                        asked, readings, rivals, places, strict=True
                    )
                ]
            }
        except (QuestionError, DrawingError, PictureError) as error:
            return {"error": str(error)}

    models = [{"name": name, "chosen": name == default} for name in readers]
    return pad(read, models=models, max_points=readers[default].limits.max_points)


def pad(
    read: Callable[[Any], dict[str, Any]],
    *,
    models: Sequence[Mapping[str, Any]],
    max_points: int,
    lesson: bool = False,
) -> gr.HTML:
    """Return a sketchpad whose ink is read by `read`, which must be of that name.

    In a `lesson` the models are the lesson's, and what a visitor chose elsewhere stays chosen.
    """
    return component(
        "draw/sketchpad",
        server_functions=[read],
        models=list(models),
        max_points=max_points,
        lesson=lesson,
        elem_id="lesson-sketchpad" if lesson else None,
    )


def choose(readers: Mapping[str, Reader], name: Any) -> Reader:
    """Return the reader of that name.

    Raises:
        QuestionError: there is none.
    """
    if not isinstance(name, str) or name not in readers:
        raise QuestionError(f"Choose a model: {', '.join(readers)}.")
    return readers[name]


def read_ink(reader: Reader, question: Mapping[str, Any]) -> Reading:
    """Read the strokes of a request, or its picture if there are no strokes.

    Raises:
        DrawingError, PictureError: it cannot be read.
    """
    if question.get("strokes") is not None:
        return reader.read_strokes(question["strokes"])
    return reader.read(picture_file({"url": question.get("picture")}))


def field(question: Any, name: str, kind: type) -> Any:
    """Return a part of a question.

    Raises:
        QuestionError: it is not there, or of another kind.
    """
    value = question.get(name) if isinstance(question, dict) else None
    if type(value) is not kind:  # True is no unit
        raise QuestionError(f"A question needs `{name}`.")
    return value


def _parts(value: Any) -> Collection[str]:
    """Return the parts of a message that are asked for; without a list, all of them."""
    if value is None:
        return PARTS
    if isinstance(value, list) and all(part in PARTS for part in value):
        return value
    raise QuestionError(f"The parts are a list of: {', '.join(PARTS)}.")


def _places(value: Any, asked: Sequence[Reader]) -> list[tuple[int, int] | None]:
    """Return for each model the layer and the index of the unit to explain, or None.

    Raises:
        QuestionError: the question has another form.
    """
    if value is None:
        return [None] * len(asked)
    if not isinstance(value, list) or len(value) < len(asked):
        raise QuestionError("`units` has a unit or null for each model.")
    return [_place(each, reader) for each, reader in zip(value, asked, strict=False)]


def _place(value: Any, reader: Reader) -> tuple[int, int] | None:
    if value is None:
        return None
    layer, index = (field(value, name, int) for name in ("layer", "unit"))
    sizes = reader.model.hidden_sizes
    known = 0 <= layer < len(sizes) and 0 <= index < sizes[layer]
    return (layer, index) if known else None  # it was a unit of the model chosen before


def _logit(value: Any) -> int | None:
    if value is None or (type(value) is int and 0 <= value <= NOT_A_DIGIT):
        return value
    raise QuestionError("A logit is a digit, or 10 for not a digit.")
