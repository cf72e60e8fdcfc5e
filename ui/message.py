"""What the page is told of a reading: what it draws, and every number that it shows."""

import base64
from typing import Any

import numpy as np

from model import Reader, Reading
from model.drawing import Strokes, lay_out, parse
from model.explain import Unit, contributions, stroke_contributions, template

NOT_A_DIGIT = 10  # the eleventh logit's place, after the ten digits'
N_TERMS = 12  # the units that are shown one by one; the others are summed


def message(
    reader: Reader,
    reading: Reading,
    *,
    strokes: Strokes | None,
    chosen: int | None,
    against: int | None,
) -> dict[str, Any]:
    """Return what the page draws of a reading, of `strokes` or, where they are None, of a picture.

    `chosen` and `against` are the two logits that are explained: a digit, or 10 for not_a_digit.
    None is the answer, and its runner-up. Pictures of numbers travel as base64.
    """
    logits = np.append(reading.logits, np.float32(reading.not_a_digit_logit))
    chosen = answer_of(reading) if chosen is None else chosen
    if against is None or against == chosen:
        against = next(int(i) for i in np.argsort(-logits, kind="stable") if i != chosen)
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
        "seen": _base64((255 * reading.input).round().astype(np.uint8)),
        "frame": _frame(reading, strokes),
        "layers": [_layer(layer.activations) for layer in reading.layers],
        "why": _why(reader, reading, strokes, chosen, against, logits),
    }


def answer_of(reading: Reading) -> int:
    """Return the logit that a reading answers with."""
    if reading.verdict == "not_a_digit":
        return NOT_A_DIGIT
    return int(reading.logits.argmax())


def unit_message(account: Unit, reading: Reading) -> dict[str, Any]:
    """Return what the page draws of one hidden unit's account of a reading."""
    terms = account.weights * reading.input.reshape(-1)
    return {
        "weights": picture(account.weights),
        "product": picture(terms),
        "sum": _sides(terms, account.bias, account.pre_activation),
        "activation": account.activation,
        "outgoing": [float(weight) for weight in account.outgoing],
        "added": [float(weight * account.activation) for weight in account.outgoing],
    }


def picture(values: np.ndarray) -> dict[str, Any]:
    """Return numbers that the page colours: int8 in base64, and what 127 stands for."""
    scale = float(np.abs(values).max())
    levels = np.zeros(values.size) if scale == 0 else 127 * values.reshape(-1) / scale
    return {"levels": _base64(levels.round().astype(np.int8)), "scale": scale}


def _layer(activations: np.ndarray) -> dict[str, Any]:
    levels = 255 * activations / max(float(activations.max()), 1e-9)
    levels = np.where(activations > 0, np.maximum(levels.round(), 1), 0)  # 0 is cut off, only
    return {
        "levels": _base64(levels.astype(np.uint8)),
        "units": len(activations),
        "active": int((activations > 0).sum()),
        "largest": float(activations.max()),
    }


def _frame(reading: Reading, strokes: Strokes | None) -> dict[str, Any] | None:
    """Return where the ink's box and its centre of mass lie, in the unit of what was read."""
    done = reading.preprocessing
    if done.box is None:
        return None
    scale, low, margin = 1.0, np.zeros(2), 0.0
    if strokes is not None:
        sheet = lay_out(parse(strokes))
        if not sheet.scale:
            return None  # a dot, drawn as large as any digit
        scale, low, margin = sheet.scale, sheet.low, sheet.margin
    box = np.reshape(done.box, (2, 2))  # left and top, right and bottom
    centre = box.mean(axis=0) + np.divide(done.shift, done.scale)
    box, centre = ((corner - margin) / scale + low for corner in (box, centre))
    return {
        "box": box.reshape(-1).tolist(),
        "centre": centre.tolist(),
        "shift": [-float(x) for x in done.shift],
        "scale": done.scale * scale,
    }


def _why(
    reader: Reader,
    reading: Reading,
    strokes: Strokes | None,
    chosen: int,
    against: int,
    logits: np.ndarray,
) -> dict[str, Any]:
    """Return the accounts of one logit, and of its difference to another."""
    terms = contributions(reader.model, reading)
    added = np.vstack([terms.contributions, terms.not_a_digit]).astype(np.float64)
    bias = np.append(terms.bias, terms.not_a_digit_bias).astype(np.float64)
    whole = template(reader.model, reading)
    ink = reading.input.reshape(-1)
    by_stroke = None if strokes is None else stroke_contributions(reader.model, reading, strokes)

    def account(rows: np.ndarray) -> dict[str, Any]:
        """One logit is rows = (…, 1, …); a difference of two has a -1 as well."""
        weights = rows @ whole.weights
        total = float(rows @ logits.astype(np.float64))
        return {
            "total": total,
            "units": _largest(rows @ added) if reading.layers else [],
            "rest": _rest(rows @ added),
            "bias": float(rows @ bias),
            "template": picture(weights),
            "product": picture(weights * ink),
            "sum": _sides(weights * ink, float(rows @ whole.bias), total),
            "strokes": None if by_stroke is None else [float(x) for x in rows @ by_stroke],
        }

    one, other = np.eye(len(logits))[[chosen, against]]
    return {
        "chosen": chosen,
        "against": against,
        "added": picture(added[chosen]) if reading.layers else None,
        "logit": account(one),
        "difference": account(one - other),
    }


def _order(terms: np.ndarray) -> np.ndarray:
    return np.argsort(-np.abs(terms), kind="stable")


def _largest(terms: np.ndarray) -> list[tuple[int, float]]:
    return [(int(i), float(terms[i])) for i in _order(terms)[:N_TERMS]]


def _rest(terms: np.ndarray) -> dict[str, Any]:
    """Return how many of the terms that are not shown speak for and against, and their sums."""
    rest = terms[_order(terms)[N_TERMS:]]
    sides = {"for": rest[rest > 0], "against": rest[rest < 0]}
    return {
        "count": {name: len(side) for name, side in sides.items()},
        "sum": {name: float(side.sum()) for name, side in sides.items()},
    }


def _sides(terms: np.ndarray, bias: float, total: float) -> dict[str, float]:
    """Return a sum as what is for it and what is against it: for + against + bias = total."""
    return {
        "for": float(terms[terms > 0].sum()),
        "against": float(terms[terms < 0].sum()),
        "bias": bias,
        "total": total,
    }


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()
