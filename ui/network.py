"""The hidden units: a field of tiles, and one unit's sum in full."""

from collections.abc import Mapping
from typing import Any

import gradio as gr
import numpy as np

from model import DrawingError, PictureError, Reader
from model.explain import unit
from ui.message import picture, unit_message
from ui.piece import piece
from ui.sketchpad import QuestionError, choose, read_ink

MAX_TILES = 64  # at once; more of them are asked for as they are needed


def network(readers: Mapping[str, Reader]) -> gr.HTML:
    """Return the piece that draws the hidden units of each `reading` event."""

    def tiles(question: Any) -> dict[str, Any]:
        """Return the weights of some units of the first hidden layer, 28 × 28 each."""
        try:
            reader = choose(readers, question.get("model"))
            units = question.get("units")
            sizes = reader.model.hidden_sizes
            known = range(sizes[0] if sizes else 0)
            if not isinstance(units, list) or not all(type(i) is int and i in known for i in units):
                raise QuestionError("There are no such units.")
            weights = next(reader.model.parameters()).numpy(force=True).astype(np.float64)
            return {"tiles": [picture(weights[i]) for i in units[:MAX_TILES]]}
        except (QuestionError, AttributeError) as error:
            return {"error": str(error)}

    def account(question: Any) -> dict[str, Any]:
        """Return one unit's account of the ink."""
        try:
            reader = choose(readers, question.get("model"))
            reading = read_ink(readers, reader.name, question)
            layer, index = question.get("layer"), question.get("unit")
            if not (type(layer) is int and type(index) is int):
                raise QuestionError("There is no such unit.")
            found = unit(reader.model, reading, layer=layer, index=index)
            return unit_message(found, reading)
        except (QuestionError, DrawingError, PictureError, IndexError, AttributeError) as error:
            return {"error": str(error)}

    return piece("network", server_functions=[tiles, account])
