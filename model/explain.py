"""Exact accounts of a reading: what adds up to a logit."""

from dataclasses import dataclass

import numpy as np

from model.mlp import MLP
from model.reader import Reading


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
    that made the reading.
    """
    inputs = reading.layers[-1].activations if reading.layers else reading.input.reshape(-1)
    *_, weight, bias, head_weight, head_bias = (p.numpy(force=True) for p in model.parameters())
    return Contributions(weight * inputs, bias, head_weight[0] * inputs, float(head_bias[0]))
