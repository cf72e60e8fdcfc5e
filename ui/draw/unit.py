"""One hidden unit: its weights on the ink, its sum, its ReLU, its outgoing weights."""

from collections.abc import Mapping
from typing import Any

import gradio as gr

from model import DrawingError, PictureError, Reader, explain
from ui.component import component
from ui.draw.sketchpad import RequestError, choose, field, read_ink
from ui.message import unit_message


def unit(readers: Mapping[str, Reader]) -> gr.HTML:
    """Return the piece that takes one unit of each `reading` event apart."""

    def account(request: Any) -> dict[str, Any]:
        """Return one unit's account of the ink."""
        try:
            reader = choose(readers, field(request, "model", str))
            reading = read_ink(reader, request)
            layer, index = (field(request, name, int) for name in ("layer", "unit"))
            found = explain.unit(reader.cpu_model, reading, layer=layer, index=index)
            return unit_message(found, reading)
        except (RequestError, DrawingError, PictureError, IndexError) as error:
            return {"error": str(error)}

    return component("draw/unit", server_functions=[account])
