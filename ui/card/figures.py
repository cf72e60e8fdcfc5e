"""The figures behind a card's plots, checked: a checkpoint from the Hub may say anything.

Each plot's are read by a schema of its own; a plot whose figures do not fit it is left out.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from model import Reader
from model.explain import heaviest_units, output_layer
from model.mlp import MLP, N_PIXELS
from ui.message import picture

MAX_EPOCHS, MAX_POINTS, MAX_BINS, MAX_MISTAKES, MAX_KINDS = 2_000, 1_001, 100, 100, 20

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=10**9)]
Digit = Annotated[int, Field(ge=0, le=9)]
Loss = Annotated[float, Field(ge=0, le=1e9)]
Name = Annotated[str, Field(min_length=1, max_length=40)]


def _checked(text: str) -> str:
    """Return the base64 of a picture.

    Raises:
        ValueError: it is none, or not of 28 × 28 bytes.
    """
    size = len(base64.b64decode(text, validate=True))
    if size != N_PIXELS:
        raise ValueError(f"{size} bytes")
    return text


Pixels = Annotated[str, Field(max_length=2_000), AfterValidator(_checked)]


class _Figures(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")  # a string is no number, nor is true


class Epoch(_Figures):
    """One epoch of the training's history."""

    epoch: Count
    loss: Loss
    val_loss: Loss
    val_accuracy: Share
    pens_accuracy: Share | None = None


class Bin(_Figures):
    """Answers of about the same confidence; of none, nothing is known."""

    low: Share
    high: Share
    n: Count
    confidence: Share | None
    accuracy: Share | None


class Mistake(_Figures):
    """A test image that was read wrong."""

    index: Count
    label: Digit
    digit: Digit
    confidence: Share
    pixels: Pixels


class Training(_Figures):
    """Results' part of it."""

    history: Annotated[list[Epoch], Field(min_length=1, max_length=MAX_EPOCHS)]
    best_epoch: Count


class Confusion(_Figures):
    """Counts: a row for each label, a column for each answer."""

    confusion: Annotated[
        list[Annotated[list[Count], Field(min_length=10, max_length=10)]],
        Field(min_length=10, max_length=10),
    ]


class Reliability(_Figures):
    """How often answers are right, by how sure they are."""

    bins: Annotated[list[Bin], Field(min_length=1, max_length=MAX_BINS)]
    calibration_error: Share


class Refusal(_Figures):
    """What share is refused at each threshold, by kind."""

    threshold: Share
    curve: Annotated[
        list[Annotated[dict[Name, Share], Field(max_length=MAX_KINDS + 3)]],
        Field(min_length=2, max_length=MAX_POINTS),
    ]


class Mistakes(_Figures):
    """The mistakes that were made most confidently."""

    mistakes: Annotated[list[Mistake], Field(max_length=MAX_MISTAKES)]


def plots(reader: Reader) -> dict[str, Any]:
    """Return what is drawn for each plot of a card, by its name, without those that do not fit."""
    found = {name: _fitting(read, reader) for name, read in PLOTS.items()}
    return {name: figures for name, figures in found.items() if figures is not None}


def _fitting(read: Callable[[Reader], Any], reader: Reader) -> Any:
    try:
        return read(reader)
    except ValueError:
        return None


def _training(reader: Reader) -> dict[str, Any]:
    return Training.model_validate(dict(reader.results)).model_dump()


def _confusion(reader: Reader) -> dict[str, Any]:
    return Confusion.model_validate(_test(reader)).model_dump()


def _reliability(reader: Reader) -> dict[str, Any]:
    return Reliability.model_validate(_test(reader)).model_dump()


def _refusal(reader: Reader) -> dict[str, Any]:
    found = Refusal.model_validate(reader.evaluation.get("refusal")).model_dump()
    kinds = set(found["curve"][0])
    if not {"threshold", "test"} <= kinds or any(set(point) != kinds for point in found["curve"]):
        raise ValueError("a point of another kind")
    found["curve"].sort(key=lambda point: point["threshold"])
    return found


def _mistakes(reader: Reader) -> dict[str, Any]:
    return Mistakes.model_validate(_test(reader)).model_dump()


def _test(reader: Reader) -> Mapping[str, Any]:
    found = reader.evaluation.get("test")
    return found if isinstance(found, dict) else {}


def _hidden(reader: Reader) -> dict[str, Any]:
    """Return the first layer's weights on the pixels, of the units that weigh most.

    Without hidden units they are the ten digits' own; what a unit adds to each logit is known
    where there is one hidden layer.
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
    """Return the weights on the pixels, (H, 784); without hidden units, the eleven logits'."""
    if not model.hidden_sizes:
        return output_layer(model)[0].astype(np.float64)
    return next(model.parameters()).numpy(force=True).astype(np.float64)


# What a card's plots are called: of plots/NAME.png.
PLOTS: dict[str, Callable[[Reader], Any]] = {
    "training": _training,
    "confusion": _confusion,
    "reliability": _reliability,
    "refusal": _refusal,
    "hidden": _hidden,
    "mistakes": _mistakes,
}
