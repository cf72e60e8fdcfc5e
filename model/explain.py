"""Exact explanations of a reading: the terms that sum to each logit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.drawing import Drawing, Lines, Strokes, lines_of, simplify
from model.mlp import MLP, N_CLASSES, SIZE
from model.reader import Layer, Reading

_MAX_LINES = 1_000  # drawings of more lines are simplified before distances are computed
_CELL = 2.0  # px of the sheet for that simplification: half a pixel of the network's input
_CHUNK = 16_000  # distances computed at a time: they fit a core's cache
SHOWN_UNITS = 32  # units of the first hidden layer whose weights a model card shows


@dataclass(frozen=True, eq=False)
class Contributions:
    """The terms of the ten logits: `contributions.sum(1) + bias == logits`, up to rounding.

    The terms of the eleventh logit, "not a digit", sum to it in the same way.
    """

    contributions: np.ndarray  # (10, H) float32: output weight times activation
    bias: np.ndarray  # (10,) float32
    not_a_digit: np.ndarray  # (H,) float32
    not_a_digit_bias: float


def contributions(model: MLP, reading: Reading) -> Contributions:
    """Split the logits of a reading into the contributions of the last hidden layer's H units.

    Without a hidden layer, the terms are the contributions of the 784 pixels. `model` must be the
    network that made the reading, on any device; `Reader.cpu_model` avoids copying the weights.
    """
    inputs = reading.layers[-1].activations if reading.layers else reading.input.reshape(-1)
    *_, weight, bias, head_weight, head_bias = (p.numpy(force=True) for p in model.parameters())
    return Contributions(weight * inputs, bias, head_weight[0] * inputs, float(head_bias[0]))


@dataclass(frozen=True, eq=False)
class Template:
    """The linear function that a network computes around one input.

    A ReLU network is piecewise linear: `weights @ input + bias` are its eleven logits (ten digits
    and "not a digit"), up to rounding, for every input with the same active units. Without hidden
    layers these are the network's own weights.
    """

    weights: np.ndarray  # (11, 784) float64: from each pixel to each logit
    bias: np.ndarray  # (11,) float64


def template(model: MLP, reading: Reading) -> Template:
    """Multiply the layers of a network for one reading, with the active units only.

    `model` must be the network that made the reading.
    """
    *hidden, (weight, bias) = _linears(model)
    return Template(*_multiply_out(weight, bias, hidden, reading.layers))


@dataclass(frozen=True, eq=False)
class Unit:
    """One hidden unit in a reading: `weights @ input + bias == pre_activation`, up to rounding."""

    weights: np.ndarray  # (784,) float64: from the pixels; for later layers, multiplied out
    bias: float
    pre_activation: float
    activation: float
    outgoing: np.ndarray  # (11,): what an activation of 1 adds to each logit


def unit(model: MLP, reading: Reading, *, layer: int, index: int) -> Unit:
    """Explain one hidden unit of a reading. Layers and units are counted from 0.

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
    """Return what each of S strokes adds to each of the eleven logits, (11, S) float64.

    Each pixel's ink is assigned to the stroke whose pen came nearest to the pixel's centre. The
    template gives what each pixel adds to a logit. The sum over the strokes, plus the template's
    bias, is the logit. `reading` must be the result of `Reader.read_strokes` for these strokes, and
    `whole` its template. An empty stroke and a stray tap add 0.
    """
    drawn = [i for i, stroke in enumerate(strokes) if np.size(stroke)]  # [[]] is empty as well
    ink = whole.weights * reading.input.reshape(-1)
    result = np.zeros((len(ink), len(strokes)))
    if drawn and not reading.preprocessing.blank:
        drawing = reading.drawing or Drawing.of(strokes)
        owner = np.asarray(drawn)[drawing.order[_nearest(drawing, reading)]]  # (784,)
        for i in np.unique(owner):
            result[:, i] = ink[:, owner == i].sum(axis=1)
    return result


def output_layer(model: MLP) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights to all eleven logits, (11, H) float32, and their bias, (11,)."""
    *_, weight, bias, head, head_bias = (p.numpy(force=True) for p in model.parameters())
    return np.vstack([weight, head]), np.concatenate([bias, head_bias])


def heaviest_units(model: MLP) -> tuple[np.ndarray, list[int] | None]:
    """Return the most important units of the first hidden layer, and their favourite digits.

    The importance is the norm of a unit's outgoing weights; at most SHOWN_UNITS are returned. A
    unit's favourite digit has its largest outgoing weight. With more than one hidden layer, the
    digits are None. Without a hidden layer, the units are the ten digits.
    """
    if not model.hidden_sizes:
        return np.arange(N_CLASSES), [*range(N_CLASSES)]
    onward = model.state_dict()["layers.1.weight"].numpy(force=True)  # (next layer, units)
    units = np.argsort(-np.linalg.norm(onward, axis=0), kind="stable")[:SHOWN_UNITS]
    last = len(model.hidden_sizes) == 1
    return units, onward[:, units].argmax(axis=0).tolist() if last else None


def _linears(model: MLP) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the weights and bias of each layer; the last are those of the output layer."""
    arrays = [p.numpy(force=True) for p in model.parameters()]
    *inner, _, _ = zip(arrays[::2], arrays[1::2], strict=True)
    return [*inner, output_layer(model)]


def _multiply_out(
    weights: np.ndarray,
    bias: np.ndarray,
    linears: Sequence[tuple[np.ndarray, np.ndarray]],
    layers: Sequence[Layer],
) -> tuple[np.ndarray, np.ndarray]:
    """Convert weights from a hidden layer, and their bias, to weights from the pixels.

    Uses only the active units, as the others add nothing, and float64 to keep rounding small.
    """
    weights, bias = weights.astype(np.float64), bias.astype(np.float64)
    for (inner, inner_bias), layer in zip(linears[::-1], layers[::-1], strict=True):
        active = np.flatnonzero(layer.pre_activations > 0)
        weights = weights[..., active]
        bias = weights @ inner_bias[active] + bias
        weights = weights @ inner[active].astype(np.float64)
    return weights, bias


def _nearest(drawing: Drawing, reading: Reading) -> np.ndarray:
    """Return the index of the stroke nearest to each pixel of the input, (784,) int.

    Pixels without ink get index 0, as they add nothing to any logit.
    """
    lines = lines_of(drawing.points, drawing.sheet)
    if len(lines.radii) > _MAX_LINES:
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
