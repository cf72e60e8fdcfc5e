"""Exact accounts of a reading: what adds up to a logit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.drawing import PEN_WIDTH, Lines, Strokes, lay_out, lines_of, parse, simplify
from model.mlp import MLP, N_CLASSES, SIZE
from model.reader import Layer, Reading

_MANY_LINES = 1_000  # a drawing of more is simplified before distances to it are computed
_CELL = 2.0  # px of the sheet, for that: half a pixel of the network's input
_CHUNK = 16_000  # distances at a time: they fit a core's cache
SHOWN_UNITS = 32  # of a first hidden layer, where a card shows their weights


@dataclass(frozen=True, eq=False)
class Contributions:
    """The terms of the ten logits: `contributions.sum(1) + bias == logits`, up to rounding.

    Those of the eleventh, which says that this is no digit, sum in the same way.
    """

    contributions: np.ndarray  # (10, H) float32: output weight times activation
    bias: np.ndarray  # (10,) float32
    not_a_digit: np.ndarray  # (H,) float32
    not_a_digit_bias: float


def contributions(model: MLP, reading: Reading) -> Contributions:
    """Take a reading's logits apart into what each unit of the last hidden layer adds to them.

    Where there is no hidden layer, H is 784: the terms are the pixels'. `model` must be the one
    that made the reading, on any device; `Reader.cpu_model` avoids copying the weights.
    """
    inputs = reading.layers[-1].activations if reading.layers else reading.input.reshape(-1)
    *_, weight, bias, head_weight, head_bias = (p.numpy(force=True) for p in model.parameters())
    return Contributions(weight * inputs, bias, head_weight[0] * inputs, float(head_bias[0]))


@dataclass(frozen=True, eq=False)
class Template:
    """What a network is, around one drawing: a ReLU network is piecewise linear.

    `weights @ input + bias` are the eleven logits, the ten digits' and not_a_digit's, up to
    rounding, and stay it for every input that switches the same units on. Without hidden layers
    these are the network's own weights.
    """

    weights: np.ndarray  # (11, 784) float64: of each logit, on each pixel
    bias: np.ndarray  # (11,) float64


def template(model: MLP, reading: Reading) -> Template:
    """Multiply a network out for one reading, leaving out the units that ReLU cut off.

    `model` must be the one that made the reading.
    """
    *hidden, (weight, bias) = _linears(model)
    return Template(*_multiply_out(weight, bias, hidden, reading.layers))


@dataclass(frozen=True, eq=False)
class Unit:
    """One hidden unit's account of a reading: `weights @ input + bias == pre_activation`."""

    weights: np.ndarray  # (784,) float64: its own in the first layer, multiplied out in a later one
    bias: float
    pre_activation: float
    activation: float
    outgoing: np.ndarray  # (11,): what one of activation adds to each logit


def unit(model: MLP, reading: Reading, *, layer: int, index: int) -> Unit:
    """Take one hidden unit's sum apart; layers and units count from 0.

    Raises:
        IndexError: there is no such unit.
    """
    if not (0 <= layer < len(reading.layers)):
        raise IndexError(f"There is no hidden layer {layer}.")
    if not (0 <= index < len(reading.layers[layer].activations)):
        raise IndexError(f"There is no unit {index} in hidden layer {layer}.")
    linears = _linears(model)
    row, bias = (part[index] for part in linears[layer])
    weights, bias = _multiply_out(row, bias, linears[:layer], reading.layers[:layer])
    outgoing = linears[-1][0].astype(np.float64)
    for (outer, _), above in zip(
        linears[layer + 1 : -1][::-1], reading.layers[layer + 1 :][::-1], strict=True
    ):
        outgoing = (outgoing * (above.pre_activations > 0)) @ outer
    own = reading.layers[layer]
    pre_activation, activation = own.pre_activations[index], own.activations[index]
    return Unit(weights, float(bias), float(pre_activation), float(activation), outgoing[:, index])


def stroke_contributions(whole: Template, reading: Reading, strokes: Strokes) -> np.ndarray:
    """Return what each stroke adds to each of the eleven logits, (11, S) float64.

    Each pixel's ink counts for the stroke whose pen came nearest to its centre, and pixels add to
    a logit by the template: over the strokes, and with the template's bias, they sum to the
    logit. `reading` must be `Reader.read_strokes`' of these strokes, and `whole` its template; an
    empty stroke adds 0.
    """
    drawn = [i for i, stroke in enumerate(strokes) if np.size(stroke)]  # [[]] is empty, too
    ink = whole.weights * reading.input.reshape(-1)
    result = np.zeros((len(ink), len(strokes)))
    if drawn and not reading.preprocessing.blank:
        owner = np.asarray(drawn)[_nearest(parse(strokes), reading)]  # (784,)
        for i in np.unique(owner):
            result[:, i] = ink[:, owner == i].sum(axis=1)
    return result


def output_layer(model: MLP) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights to the ten logits and the eleventh, (11, H) float32, and their bias."""
    *_, weight, bias, head, head_bias = (p.numpy(force=True) for p in model.parameters())
    return np.vstack([weight, head]), np.concatenate([bias, head_bias])


def heaviest_units(model: MLP) -> tuple[np.ndarray, list[int] | None]:
    """Return SHOWN_UNITS of the first hidden layer at most, and the digit that each speaks for.

    Those come first whose weights to the next layer's units, or to the ten digits, are largest.
    What a unit speaks for is not known where more layers follow. Without a hidden layer, the units
    are the ten digits themselves.
    """
    if not model.hidden_sizes:
        return np.arange(N_CLASSES), [*range(N_CLASSES)]
    onward = model.state_dict()["layers.1.weight"].numpy(force=True)  # (next layer, units)
    units = np.argsort(-np.linalg.norm(onward, axis=0), kind="stable")[:SHOWN_UNITS]
    last = len(model.hidden_sizes) == 1
    return units, onward[:, units].argmax(axis=0).tolist() if last else None


def _linears(model: MLP) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return each layer's weights and bias; the last's are the output layer's."""
    arrays = [p.numpy(force=True) for p in model.parameters()]
    *inner, _, _ = zip(arrays[::2], arrays[1::2], strict=True)
    return [*inner, output_layer(model)]


def _multiply_out(
    weights: np.ndarray,
    bias: np.ndarray,
    linears: Sequence[tuple[np.ndarray, np.ndarray]],
    layers: Sequence[Layer],
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights on a hidden layer and their bias as ones on the pixels.

    In float64, in which the sums hardly round; of the active units alone, the others add nothing.
    """
    weights, bias = weights.astype(np.float64), bias.astype(np.float64)
    for (inner, inner_bias), layer in zip(linears[::-1], layers[::-1], strict=True):
        active = np.flatnonzero(layer.pre_activations > 0)
        weights = weights[..., active]
        bias = weights @ inner_bias[active] + bias
        weights = weights @ inner[active].astype(np.float64)
    return weights, bias


def _nearest(points: list[np.ndarray], reading: Reading) -> np.ndarray:
    """Return the index of the stroke whose ink is nearest to each pixel of the input, (784,) int.

    Pixels without ink add nothing to any logit, and get index 0.
    """
    lines = lines_of(points, lay_out(points, pen_width=PEN_WIDTH))
    if len(lines.radii) > _MANY_LINES:
        lines = simplify(lines, cell=_CELL)
    owner = np.zeros(reading.input.size, int)
    inked = np.flatnonzero(reading.input)
    done = reading.preprocessing
    x = (inked % SIZE + 0.5) / done.scale + done.origin[0]
    y = (inked // SIZE + 0.5) / done.scale + done.origin[1]
    chunk = max(1, _CHUNK // len(lines.radii))
    for i in range(0, len(inked), chunk):
        some = slice(i, i + chunk)
        nearest = _distance(x[some], y[some], lines).argmin(axis=1)
        owner[inked[some]] = lines.strokes[nearest]
    return owner


def _distance(x: np.ndarray, y: np.ndarray, lines: Lines) -> np.ndarray:
    """Return the distance from each pixel's centre to each line's ink, (N, lines); < 0 inside."""
    starts, ends, radii, _ = lines
    (ax, ay), dx, dy = (ends - starts).T, x[:, None] - starts[:, 0], y[:, None] - starts[:, 1]
    length2 = np.maximum(ax * ax + ay * ay, 1e-12)
    t = dx * (ax / length2)
    t += dy * (ay / length2)
    np.clip(t, 0, 1, out=t)
    dx -= t * ax
    dy -= t * ay
    gap = np.sqrt(dx * dx + dy * dy)
    gap -= radii
    return gap
