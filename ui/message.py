"""The messages about a reading that the server sends to the page."""

import base64
from typing import Any, NamedTuple

import numpy as np

from model import Reader, Reading
from model.drawing import Strokes, lay_out, parse
from model.explain import (
    Template,
    Unit,
    contributions,
    output_layer,
    stroke_contributions,
    template,
)
from model.preprocess import CENTRE

NOT_A_DIGIT = 10  # index of the eleventh logit
CENTRED = 0.6  # px; how close to the middle a shift by whole pixels can bring the mass
N_TERMS = 12  # units that are listed; the others are summed


def message(
    reader: Reader,
    reading: Reading,
    *,
    strokes: Strokes | None,
    chosen: int | None,
    against: int | None,
) -> dict[str, Any]:
    """Return what the page shows of a reading.

    `strokes` is None for a picture. `chosen` and `against` are the two logits to explain: a digit,
    or 10 for "not a digit". They default to the answer and to the most probable other digit.
    Pictures of numbers are sent as base64.
    """
    logits = np.append(reading.logits, np.float32(reading.not_a_digit_logit))
    chosen = answer_of(reading) if chosen is None else chosen
    if against is None or against == chosen:
        order = np.argsort(-reading.logits, kind="stable")
        against = next(int(digit) for digit in order if digit != chosen)
    return {
        "model": reading.model,
        "verdict": reading.verdict,
        "digit": reading.digit,
        "confidence": reading.confidence,
        "not_a_digit": reading.not_a_digit,
        "probabilities": None
        if reading.probabilities is None
        else [float(p) for p in reading.probabilities],
        "logits": [float(x) for x in logits],
        "temperature": reader.temperature,
        "hidden_sizes": list(reader.model.hidden_sizes),
        "seen": pixels(reading.input),
        "frame": frame(reading, strokes),
        "layers": [_layer(layer.activations) for layer in reading.layers],
        "why": _why(_parts(reader, reading, strokes, logits), chosen, against),
    }


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
    scale = float(np.abs(values).max())
    levels = np.zeros(values.size) if scale == 0 else 127 * values.reshape(-1) / scale
    return {"levels": base64_of(levels.round().astype(np.int8)), "scale": scale}


def _layer(activations: np.ndarray) -> dict[str, Any]:
    levels = 255 * activations / max(float(activations.max()), 1e-9)
    levels = np.where(activations > 0, np.maximum(levels.round(), 1), 0)  # 0 only if inactive
    return {
        "levels": base64_of(levels.astype(np.uint8)),
        "units": len(activations),
        "active": int((activations > 0).sum()),
    }


def frame(reading: Reading, strokes: Strokes | None) -> dict[str, Any] | None:
    """Return the ink's box and centre of mass, in the unit of the strokes or picture."""
    done = reading.preprocessing
    if done.box is None:
        return None
    scale, low, margin = 1.0, np.zeros(2), 0.0
    if strokes is not None:
        sheet = lay_out(parse(strokes))
        if not sheet.scale:
            return None  # a dot has no size
        scale, low, margin = sheet.scale, sheet.low, sheet.margin
    box = np.reshape(done.box, (2, 2))  # left and top, right and bottom
    centre = box.mean(axis=0) + np.divide(done.shift, done.scale)
    # MNIST's pixels, and ink that would be cut off, are not centred exactly.
    moved = (box.mean(axis=0) - done.origin) * done.scale - CENTRE
    mass = (centre - done.origin) * done.scale
    box, centre = ((corner - margin) / scale + low for corner in (box, centre))
    return {
        "box": box.reshape(-1).tolist(),
        "centre": centre.tolist(),
        "shift": moved.tolist(),
        "centred": bool(np.abs(mass - CENTRE).max() < CENTRED),
        "scale": done.scale * scale,
        "pen": strokes is not None,  # strokes are rendered again with the usual pen
    }


class _Parts(NamedTuple):
    """The terms of the eleven logits of one reading."""

    logits: np.ndarray  # (11,)
    factors: np.ndarray  # (11, H): output weights
    activations: np.ndarray | None  # (H,) of the last hidden layer, where there is one
    added: np.ndarray  # (11, H): factors times activations
    bias: np.ndarray  # (11,)
    whole: Template
    ink: np.ndarray  # (784,)
    by_stroke: np.ndarray | None  # (11, S)


def _parts(reader: Reader, reading: Reading, strokes: Strokes | None, logits: np.ndarray) -> _Parts:
    found = contributions(reader.cpu_model, reading)
    factors, bias = output_layer(reader.cpu_model)
    whole = template(reader.cpu_model, reading)
    return _Parts(
        logits=logits.astype(np.float64),
        factors=factors,
        activations=reading.layers[-1].activations if reading.layers else None,
        added=np.vstack([found.contributions, found.not_a_digit]).astype(np.float64),
        bias=bias.astype(np.float64),
        whole=whole,
        ink=reading.input.reshape(-1),
        by_stroke=None if strokes is None else stroke_contributions(whole, reading, strokes),
    )


def _why(parts: _Parts, chosen: int, against: int) -> dict[str, Any]:
    """Return the terms of one logit, and of its difference from another."""
    return {
        "chosen": chosen,
        "against": against,
        "added": None if parts.activations is None else picture(parts.added[chosen]),
        "logit": _account(parts, chosen, None),
        "difference": _account(parts, chosen, against),
    }


def _account(parts: _Parts, plus: int, minus: int | None) -> dict[str, Any]:
    """Return the terms of a logit, or of its difference from another."""
    row = np.eye(len(parts.logits))[plus]
    if minus is not None:
        row[minus] -= 1
    weights = row @ parts.whole.weights
    total = float(row @ parts.logits)
    return {
        "total": total,
        **_by_unit(parts, plus, minus, row @ parts.added),
        "bias": float(row @ parts.bias),
        "template": picture(weights),
        "product": picture(weights * parts.ink),
        "sum": _sides(weights * parts.ink, float(row @ parts.whole.bias), total),
        "strokes": None if parts.by_stroke is None else (row @ parts.by_stroke).tolist(),
    }


def _by_unit(parts: _Parts, plus: int, minus: int | None, terms: np.ndarray) -> dict[str, Any]:
    """Return the units that add most, and the sum of the others.

    Each unit has its index, its activation, and its weights to the two logits.
    """
    if parts.activations is None:
        return {"units": [], "rest": _rest(terms[:0])}
    order = np.argsort(-np.abs(terms), kind="stable")
    units = [
        (
            int(i),
            float(parts.activations[i]),
            float(parts.factors[plus, i]),
            0.0 if minus is None else float(parts.factors[minus, i]),
        )
        for i in order[:N_TERMS]
    ]
    return {"units": units, "rest": _rest(terms[order[N_TERMS:]])}


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
