"""The sizes of images, of the output, and of an MLP's parameters."""

from collections.abc import Sequence
from itertools import pairwise

SIZE = 28  # pixels; MNIST's images are SIZE × SIZE
N_PIXELS = SIZE * SIZE  # 784
N_CLASSES = 10


def parameter_shapes(hidden_sizes: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each entry of an MLP's state_dict, without building the MLP."""
    shapes: dict[str, tuple[int, ...]] = {}
    sizes = (N_PIXELS, *hidden_sizes, N_CLASSES)
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        shapes[f"layers.{i}.weight"] = (n_out, n_in)
        shapes[f"layers.{i}.bias"] = (n_out,)
    return shapes | {"not_a_digit.weight": (1, sizes[-2]), "not_a_digit.bias": (1,)}
