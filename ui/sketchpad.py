"""The sketchpad: strokes go to the server while they are drawn, readings come back.

Each answer is handed to the rest of the page as a `reading` event on the document.
"""

import base64
from collections.abc import Mapping
from typing import Any

import gradio as gr
import numpy as np

from model import DrawingError, Reader, Reading
from ui.piece import piece


def sketchpad(readers: Mapping[str, Reader], *, default: str) -> gr.HTML:
    """Return the sketchpad with its model chooser."""

    def read(request: Any) -> dict[str, Any]:
        """Read `{"strokes": …, "model": …}` as the page sends it."""
        model = request.get("model") if isinstance(request, dict) else None
        if not isinstance(model, str) or model not in readers:
            return {"error": f"Choose a model: {', '.join(readers)}."}
        try:
            reading = readers[model].read_strokes(request.get("strokes"))
        except DrawingError as error:
            return {"error": str(error)}
        return _message(reading)

    options = [{"name": name, "chosen": name == default} for name in readers]
    return piece("sketchpad", server_functions=[read], models=options)


def _message(reading: Reading) -> dict[str, Any]:
    """Return what the page draws from a reading; arrays of numbers travel as base64."""
    return {
        "verdict": reading.verdict,
        "digit": reading.digit,
        "confidence": reading.confidence,
        "not_a_digit": reading.not_a_digit,
        "probabilities": None
        if reading.probabilities is None
        else [float(p) for p in reading.probabilities],
        "seen": _base64((255 * reading.input).round().astype(np.uint8)),
        "layers": [_base64(layer.activations.astype("<f4")) for layer in reading.layers],
        "model": reading.model,
    }


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()
