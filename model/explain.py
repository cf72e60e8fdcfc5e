"""Exact accounts of a reading: what adds up to a logit."""

from dataclasses import dataclass

import numpy as np

from model.mlp import MLP
from model.reader import Reading


@dataclass(frozen=True, eq=False)
class Contributions:
    """The terms of the ten logits: `contributions.sum(1) + bias == logits`, up to rounding."""

    contributions: np.ndarray  # (10, H) float32: output weight times activation
    bias: np.ndarray  # (10,) float32


def contributions(model: MLP, reading: Reading) -> Contributions:
    """Take a reading's logits apart into what each unit of the last hidden layer adds to them.

    Where there is no hidden layer, H is 784: the terms are the pixels'. `model` must be the one
    that made the reading.
    """
    inputs = reading.layers[-1].activations if reading.layers else reading.input.reshape(-1)
    *_, weight, bias = model.parameters()  # of the output layer: (10, H) and (10,)
    return Contributions(weight.numpy(force=True) * inputs, bias.numpy(force=True))
