"""The figures behind a card's plots, validated: a checkpoint from the Hub may contain anything.

Each plot has its own schema. A plot whose figures do not fit its schema is left out.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field

from model import Reader
from model.explain import heaviest_units, output_layer
from model.figures import Confusion, Count, Epoch, Mistakes, RejectionCurve, Reliability
from model.mlp import MLP
from ui.message import picture

MAX_EPOCHS = 2_000


class History(BaseModel):
    """The part of results.json that the training plot shows."""

    model_config = Epoch.model_config

    history: Annotated[list[Epoch], Field(min_length=1, max_length=MAX_EPOCHS)]
    best_epoch: Count


def plots(reader: Reader) -> dict[str, Any]:
    """Return the figures of each plot by name, without plots whose figures are invalid."""
    found = {name: _fitting(read, reader) for name, read in PLOTS.items()}
    return {name: figures for name, figures in found.items() if figures is not None}


def _fitting(read: Callable[[Reader], Any], reader: Reader) -> Any:
    try:
        return read(reader)
    except ValueError:
        return None


def _training(reader: Reader) -> dict[str, Any]:
    return History.model_validate(dict(reader.results)).model_dump()


def _confusion(reader: Reader) -> dict[str, Any]:
    return Confusion.model_validate(_test(reader)).model_dump()


def _reliability(reader: Reader) -> dict[str, Any]:
    return Reliability.model_validate(_test(reader)).model_dump()


def _refusal(reader: Reader) -> dict[str, Any]:
    found = RejectionCurve.model_validate(reader.evaluation.get("refusal")).model_dump()
    found["curve"].sort(key=lambda point: point["threshold"])
    return found


def _mistakes(reader: Reader) -> dict[str, Any]:
    return Mistakes.model_validate(_test(reader)).model_dump()


def _test(reader: Reader) -> Mapping[str, Any]:
    found = reader.evaluation.get("test")
    return found if isinstance(found, dict) else {}


def _hidden(reader: Reader) -> dict[str, Any]:
    """Return the first layer's weights of the most important units.

    Without a hidden layer, these are the ten digits' weights. The outgoing weights are included if
    there is exactly one hidden layer.
    """
    model = reader.cpu_model
    weights = first_weights(model)
    units, favourites = heaviest_units(model)
    single = len(model.hidden_sizes) == 1
    return {
        "templates": not model.hidden_sizes,
        "of": len(weights),
        "units": units.tolist(),
        "tiles": [picture(weights[unit]) for unit in units],
        "favourites": favourites,
        "outgoing": output_layer(model)[0].T[units].tolist() if single else None,
    }


def first_weights(model: MLP) -> np.ndarray:
    """Return the first layer's weights, (H, 784); without a hidden layer, those of the logits."""
    if not model.hidden_sizes:
        return output_layer(model)[0].astype(np.float64)
    return next(model.parameters()).numpy(force=True).astype(np.float64)


# By the name of a plot: NAME in plots/NAME.png.
PLOTS: dict[str, Callable[[Reader], Any]] = {
    "training": _training,
    "confusion": _confusion,
    "reliability": _reliability,
    "refusal": _refusal,
    "hidden": _hidden,
    "mistakes": _mistakes,
}
