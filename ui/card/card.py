"""The model card page: the card's text, with plots drawn from its figures."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import gradio as gr

from model import Reader
from model.checkpoint import CARD_FILE
from ui.card import markdown
from ui.card.figures import plots
from ui.component import component
from ui.draw.sketchpad import RequestError, choose, field

_NO_CARD = """
# {name}

This checkpoint has no model card (a {file} next to its weights). Its network:
{architecture}, {parameters:,} parameters.
{plots}
"""
_TITLES = {
    "training": "Training by epoch",
    "confusion": "Labels and answers",
    "reliability": "Confidence and accuracy",
    "refusal": "Rejected, by threshold",
    "hidden": "Weights of the first layer",
    "mistakes": "Most confident mistakes",
}


def card(readers: Mapping[str, Reader], *, default: str) -> gr.HTML:
    """Return the component that shows one model's card and lets the visitor choose another."""

    cached = cache(message)  # a card does not change while the server runs

    def read(request: Any) -> dict[str, Any]:
        """Return the card of the requested model; see `message`."""
        try:
            return cached(choose(readers, field(request, "model", str)))
        except RequestError as error:
            return {"error": str(error)}

    models = [{"name": name, "chosen": name == default} for name in readers]
    return component(
        "card/card",
        server_functions=[read],
        styles=["shared/article", "shared/plots"],
        models=models,
    )


def message(reader: Reader) -> dict[str, Any]:
    """Return the card's parts in order, and the figures of its plots."""
    figures = plots(reader)
    parts = markdown.parts(reader.card or _known(reader, figures))
    shown = {part.plot for part in parts} | {
        "mistakes"
    }  # a cell of the confusion matrix shows its mistakes
    return {
        "model": reader.name,
        "parts": [part._asdict() for part in parts],
        "figures": {name: figures[name] for name in figures.keys() & shown},
    }


def _known(reader: Reader, figures: Mapping[str, Any]) -> str:
    sections = [
        f"\n## {title}\n\n![{title}](plots/{name}.png)\n"
        for name, title in _TITLES.items()
        if name in figures
    ]
    return _NO_CARD.format(
        name=reader.name,
        file=CARD_FILE,
        architecture=" → ".join(map(str, (784, *reader.model.hidden_sizes, 10))),
        parameters=reader.model.n_parameters,
        plots="".join(sections),
    )
