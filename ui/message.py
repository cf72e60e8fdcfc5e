"""The messages about a reading that the server sends to the page."""

import base64
from collections.abc import Collection
from typing import Any, NamedTuple, TypedDict

import numpy as np

from model import Reader, Reading
from model.components import Kind
from model.drawing import Strokes
from model.explain import (
    Template,
    Unit,
    contributions,
    output_layer,
    stroke_contributions,
    template,
    unit,
)
from model.preprocess import CENTRE

NOT_A_DIGIT = 10  # index of the eleventh logit
CENTRED = 0.6  # px; how close to the middle a shift by whole pixels can bring the mass
N_TERMS = 12  # units that are listed; the others are summed
MAX_TILES = 64  # units that are shown as pictures; of more units, only the N_TERMS first are
PARTS = ("layers", "added", "unit", "why")  # what a message can hold besides the answer


class RemovedRegion(TypedDict):
    """A region of ink that is not part of the digit."""

    kind: Kind
    box: list[float]  # left, top, right, bottom in the unit of the input


def message(
    reader: Reader,
    reading: Reading,
    *,
    strokes: Strokes | None,
    chosen: int | None = None,
    against: int | None = None,
    place: tuple[int, int] | None = None,
    parts: Collection[str] = PARTS,
) -> dict[str, Any]:
    """Return what the page shows of a reading: the answer, and the parts that are asked for.

    `strokes` is None for a picture. `chosen` and `against` are the two logits to explain: a digit,
    or 10 for "not a digit". They default to the answer and to the most probable other digit.
    `place` is the layer and the index of the hidden unit to explain, by default the unit that adds
    most to the chosen logit. Pictures of numbers are sent as base64.

    The parts: `layers` are the activations, and which units to show as pictures; `added` is what
    each unit adds to the chosen logit; `unit` explains one unit; `why` explains the chosen logit
    and its difference from the other.
    """
    logits = np.append(reading.logits, np.float32(reading.not_a_digit_logit))
    chosen = answer_of(reading) if chosen is None else chosen
    if against is None or against == chosen:
        order = np.argsort(-reading.logits, kind="stable")
        against = next(int(digit) for digit in order if digit != chosen)
    shares = reading.probabilities
    shown: dict[str, Any] = {
        "model": reading.model,
        "verdict": reading.verdict,
        "digit": reading.digit,
        "confidence": reading.confidence,
        "not_a_digit": reading.not_a_digit,
        "probabilities": None if shares is None else shares.tolist(),
        "logits": logits.tolist(),
        "temperature": reader.temperature,
        "hidden_sizes": list(reader.model.hidden_sizes),
        "seen": pixels(reading.input),
        "frame": frame(reading),
        "chosen": chosen,
        "against": against,
    }
    added = _added(reader, reading)
    if "layers" in parts:
        shown["layers"] = [_layer(layer.activations) for layer in reading.layers]
        shown["tiles"] = _tiles(reading, added[chosen])
    if "added" in parts:
        shown["added"] = picture(added[chosen]) if reading.layers else None
    if "unit" in parts:
        shown["unit"] = _unit(reader, reading, place, added[chosen])
    if "why" in parts:
        terms = _terms(reader, reading, strokes, logits, added)
        shown["why"] = {
            "logit": _account(terms, chosen, None),
            "difference": _account(terms, chosen, against),
        }
    return shown


def answer_of(reading: Reading) -> int:
    """Return the index of the logit that is a reading's answer."""
    if reading.verdict == "not_a_digit":
        return NOT_A_DIGIT
    return int(reading.logits.argmax())


def answer(reading: Reading) -> dict[str, Any]:
    """Return the answer of a reading, with the names of the API."""
    shares = reading.probabilities
    return {
        "verdict": reading.verdict,
        "digit": reading.digit,
        "confidence": reading.confidence,
        "not_a_digit": reading.not_a_digit,
        "logits": reading.logits.tolist(),
        "probabilities": None if shares is None else shares.tolist(),
    }


def unit_message(account: Unit, reading: Reading) -> dict[str, Any]:
    """Return what the page shows of one hidden unit in a reading."""
    terms = account.weights * reading.input.reshape(-1)
    return {
        "weights": picture(account.weights),
        "product": picture(terms),
        "sum": _sides(terms, account.bias, account.pre_activation),
        "activation": account.activation,
        "outgoing": [float(weight) for weight in account.outgoing],
    }


def picture(values: np.ndarray) -> dict[str, Any]:
    """Encode numbers that the page colours: int8 in base64, and the value of 127."""
    return {"levels": base64_of(_levels(values)), "scale": float(np.abs(values).max())}


def _levels(values: np.ndarray) -> np.ndarray:
    """Scale numbers to -127..127: int8, flat."""
    scale = float(np.abs(values).max())
    levels = np.zeros(values.size) if scale == 0 else 127 * values.reshape(-1) / scale
    return levels.round().astype(np.int8)


def _layer(activations: np.ndarray) -> dict[str, Any]:
    levels = 255 * activations / max(float(activations.max()), 1e-9)
    levels = np.where(activations > 0, np.maximum(levels.round(), 1), 0)  # 0 only if inactive
    return {
        "levels": base64_of(levels.astype(np.uint8)),
        "units": len(activations),
        "active": int((activations > 0).sum()),
    }


def frame(reading: Reading) -> dict[str, Any] | None:
    """Return the ink's box, its centre of mass and what was removed, in the unit of the input."""
    done = reading.preprocessing
    if done.box is None:
        return None
    if reading.drawing and not reading.drawing.sheet.scale:
        return None  # a dot has no size
    box = np.reshape(done.box, (2, 2))  # left and top, right and bottom
    centre = box.mean(axis=0) + np.divide(done.shift, done.scale)
    # MNIST's pixels, and ink that would be cut off, are not centred exactly.
    moved = (box.mean(axis=0) - done.origin) * done.scale - CENTRE
    mass = (centre - done.origin) * done.scale
    return {
        "box": _in_unit_of_input(reading, box).reshape(-1).tolist(),
        "centre": _in_unit_of_input(reading, centre).tolist(),
        "shift": moved.tolist(),
        "centred": bool(np.abs(mass - CENTRE).max() < CENTRED),
        "scale": done.scale * (reading.drawing.sheet.scale if reading.drawing else 1.0),
        "pen": reading.drawing is not None,  # strokes are rendered again with the usual width
        "removed": removed(reading),
    }


def removed(reading: Reading) -> list[RemovedRegion]:
    """Return what is not part of the digit, in the unit of the input."""
    regions = reading.preprocessing.removed
    boxes = [_in_unit_of_input(reading, np.reshape(box, (2, 2))) for _, box in regions]
    return [
        {"kind": region.kind, "box": box.reshape(-1).tolist()}
        for region, box in zip(regions, boxes, strict=True)
    ]


def _in_unit_of_input(reading: Reading, points: np.ndarray) -> np.ndarray:
    """Convert points, (..., 2), from the sheet of a drawing; those of a picture stay in px."""
    if reading.drawing is None:
        return points
    sheet = reading.drawing.sheet
    return (points - sheet.margin) / (sheet.scale or 1.0) + sheet.low


def _added(reader: Reader, reading: Reading) -> np.ndarray:
    """Return what each unit of the last hidden layer adds to each logit, (11, H) float64."""
    found = contributions(reader.cpu_model, reading)
    return np.vstack([found.contributions, found.not_a_digit]).astype(np.float64)


def _by_weight(terms: np.ndarray) -> np.ndarray:
    """Return the indices of the terms, (H,), the largest in absolute value first."""
    return np.argsort(-np.abs(terms), kind="stable")


def _tiles(reading: Reading, added: np.ndarray) -> list[tuple[int, int]]:
    """Return the units that are shown as pictures, with what each adds, -127 to 127.

    These are all units if they are few, otherwise those that add most. With several hidden layers
    there are none.
    """
    if len(reading.layers) != 1:
        return []
    levels = _levels(added).tolist()
    units = range(len(added)) if len(added) <= MAX_TILES else _by_weight(added)[:N_TERMS].tolist()
    return [(unit, levels[unit]) for unit in units]


def _unit(
    reader: Reader, reading: Reading, place: tuple[int, int] | None, added: np.ndarray
) -> dict[str, Any] | None:
    """Return the explanation of one unit, with its place; None if there are no hidden units."""
    if not reading.layers:
        return None
    strongest = int(_by_weight(added)[0])
    layer, index = place or (len(reading.layers) - 1, strongest)
    account = unit(reader.cpu_model, reading, layer=layer, index=index)
    found = unit_message(account, reading)
    return {"layer": layer, "unit": index, "strongest": strongest, **found}


class _Terms(NamedTuple):
    """The terms of the eleven logits of one reading."""

    logits: np.ndarray  # (11,)
    factors: np.ndarray  # (11, H): output weights
    activations: np.ndarray | None  # (H,) of the last hidden layer, where there is one
    added: np.ndarray  # (11, H): factors times activations
    bias: np.ndarray  # (11,)
    whole: Template
    ink: np.ndarray  # (784,)
    by_stroke: np.ndarray | None  # (11, S)


def _terms(
    reader: Reader,
    reading: Reading,
    strokes: Strokes | None,
    logits: np.ndarray,
    added: np.ndarray,
) -> _Terms:
    factors, bias = output_layer(reader.cpu_model)
    whole = template(reader.cpu_model, reading)
    return _Terms(
        logits=logits.astype(np.float64),
        factors=factors,
        activations=reading.layers[-1].activations if reading.layers else None,
        added=added,
        bias=bias.astype(np.float64),
        whole=whole,
        ink=reading.input.reshape(-1),
        by_stroke=None if strokes is None else stroke_contributions(whole, reading, strokes),
    )


def _account(terms: _Terms, plus: int, minus: int | None) -> dict[str, Any]:
    """Return the terms of a logit, or of its difference from another."""
    row = np.eye(len(terms.logits))[plus]
    if minus is not None:
        row[minus] -= 1
    weights = row @ terms.whole.weights
    product = weights * terms.ink
    total = float(row @ terms.logits)
    return {
        "total": total,
        **_by_unit(terms, plus, minus, row @ terms.added),
        "bias": float(row @ terms.bias),
        "template": picture(weights),
        "product": picture(product),
        "sum": _sides(product, float(row @ terms.whole.bias), total),
        "strokes": None if terms.by_stroke is None else (row @ terms.by_stroke).tolist(),
    }


def _by_unit(terms: _Terms, plus: int, minus: int | None, added: np.ndarray) -> dict[str, Any]:
    """Return the units that add most, and the sum of the others.

    Each unit has its index, its activation, and its weights to the two logits.
    """
    if terms.activations is None:
        return {"units": [], "rest": _rest(added[:0])}
    order = _by_weight(added)
    units = [
        (
            int(i),
            float(terms.activations[i]),
            float(terms.factors[plus, i]),
            0.0 if minus is None else float(terms.factors[minus, i]),
        )
        for i in order[:N_TERMS]
    ]
    return {"units": units, "rest": _rest(added[order[N_TERMS:]])}


def _rest(rest: np.ndarray) -> dict[str, Any]:
    """Return the number and the sum of the positive and of the negative terms."""
    sides = {"for": rest[rest > 0], "against": rest[rest < 0]}
    return {
        "count": {name: len(side) for name, side in sides.items()},
        "sum": {name: float(side.sum()) for name, side in sides.items()},
    }


def _sides(terms: np.ndarray, bias: float, total: float) -> dict[str, float]:
    """Split a sum into positive and negative terms: for + against + bias = total."""
    return {
        "for": float(terms[terms > 0].sum()),
        "against": float(terms[terms < 0].sum()),
        "bias": bias,
        "total": total,
    }


def pixels(image: np.ndarray) -> str:
    """Return a picture, (28, 28) in 0..1, as bytes in base64."""
    return base64_of((255 * image).round().astype(np.uint8))


def base64_of(array: np.ndarray) -> str:
    """Return an array's bytes as base64."""
    return base64.b64encode(array.tobytes()).decode()
