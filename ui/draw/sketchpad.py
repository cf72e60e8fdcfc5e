"""The sketchpad: it sends strokes to the server while they are drawn, and receives readings.

It passes each reading to the other components of the page as a `reading` event on the document.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import gradio as gr

from model import DrawingError, PictureError, Reader, Reading
from ui.api import Observe, no_metrics, picture_file
from ui.component import component
from ui.message import NOT_A_DIGIT, PARTS, answer_of, message


class RequestError(ValueError):
    """The request is not one that the page makes; it probably comes from another program."""


def sketchpad(
    readers: Mapping[str, Reader], *, default: str, observe: Observe = no_metrics
) -> gr.HTML:
    """Return the sketchpad with its model choosers."""

    def read(request: Any) -> dict[str, Any]:
        """Read the ink with each requested model; see ui/draw/sketchpad.js."""
        try:
            models = field(request, "models", list)
            if not 1 <= len(models) <= 2:
                raise RequestError("`models` has one model or two.")
            chosen, against = (_logit(request.get(name)) for name in ("chosen", "against"))
            parts = _parts(request.get("parts"))
            started = time.perf_counter()
            chosen_readers = [choose(readers, name) for name in models]
            places = _places(request.get("units"), chosen_readers)
            readings = [read_ink(chosen_readers[0], request)]
            readings += [reader.read_again(readings[0]) for reader in chosen_readers[1:]]
            for reader, reading in zip(chosen_readers, readings, strict=True):
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
                        strokes=request.get("strokes"),
                        chosen=chosen,
                        against=rival,
                        place=place,
                        parts=parts,
                    )
                    for reader, reading, rival, place in zip(
                        chosen_readers, readings, rivals, places, strict=True
                    )
                ]
            }
        except (RequestError, DrawingError, PictureError) as error:
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
    """Return a sketchpad whose ink is read by `read`; the function must have this name.

    In a `lesson`, the page keeps the models that the visitor chose on the drawing page.
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
        RequestError: there is no such reader.
    """
    if not isinstance(name, str) or name not in readers:
        raise RequestError(f"Choose a model: {', '.join(readers)}.")
    return readers[name]


def read_ink(reader: Reader, request: Mapping[str, Any]) -> Reading:
    """Read the strokes of a request, or its picture if there are no strokes.

    Raises:
        DrawingError, PictureError: the strokes or the picture are invalid.
    """
    if request.get("strokes") is not None:
        return reader.read_strokes(request["strokes"])
    return reader.read(picture_file({"url": request.get("picture")}))


def field(request: Any, name: str, kind: type) -> Any:
    """Return a field of a request.

    Raises:
        RequestError: the field is missing or has another type.
    """
    value = request.get(name) if isinstance(request, dict) else None
    if type(value) is not kind:  # isinstance would accept True as an int
        raise RequestError(f"The request needs `{name}`.")
    return value


def _parts(value: Any) -> Collection[str]:
    """Return the requested parts of a message; without a list, all of them."""
    if value is None:
        return PARTS
    if isinstance(value, list) and all(part in PARTS for part in value):
        return value
    raise RequestError(f"The parts are a list of: {', '.join(PARTS)}.")


def _places(value: Any, readers: Sequence[Reader]) -> list[tuple[int, int] | None]:
    """Return for each model the layer and the index of the unit to explain, or None.

    Raises:
        RequestError: the value has another form.
    """
    if value is None:
        return [None] * len(readers)
    if not isinstance(value, list) or len(value) < len(readers):
        raise RequestError("`units` has a unit or null for each model.")
    return [_place(each, reader) for each, reader in zip(value, readers, strict=False)]


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
    raise RequestError("A logit is a digit, or 10 for not a digit.")
