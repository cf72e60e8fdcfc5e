"""The hidden units: a field of lights, and pictures of the weights of those that matter most."""

from collections.abc import Mapping
from typing import Any

import gradio as gr
import numpy as np

from model import Reader
from model.explain import output_layer
from model.mlp import MLP
from ui.card.figures import first_weights
from ui.component import component
from ui.draw.sketchpad import RequestError, choose, field
from ui.message import MAX_TILES, NOT_A_DIGIT, picture


def network(readers: Mapping[str, Reader]) -> gr.HTML:
    """Return the piece that draws the hidden units of each `reading` event."""

    def tiles(request: Any) -> dict[str, Any]:
        """Return the weights of some units of the first layer, 28 × 28 each."""
        try:
            weights = first_weights(choose(readers, field(request, "model", str)).cpu_model)
            units = field(request, "units", list)
            known = range(len(weights))
            if not all(type(i) is int and i in known for i in units):
                raise RequestError("There are no such units.")
            return {"tiles": [picture(weights[i]) for i in units[:MAX_TILES]]}
        except RequestError as error:
            return {"error": str(error)}

    bands = {reader.name: _bands(reader.cpu_model) for reader in readers.values()}
    return component("draw/network", server_functions=[tiles], bands=bands, few=MAX_TILES)


def _bands(model: MLP) -> list[list[int]] | None:
    """Return the units by the logit that each adds most to, 0 to 10, the strongest first.

    None where a unit's outgoing weights are not to the logits alone: without a hidden layer, and
    with several.
    """
    if len(model.hidden_sizes) != 1:
        return None
    weights, _ = output_layer(model)
    favourite, strength = weights.argmax(axis=0), weights.max(axis=0)
    order = np.argsort(-strength, kind="stable")
    return [order[favourite[order] == logit].tolist() for logit in range(NOT_A_DIGIT + 1)]
