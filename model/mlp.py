"""The network: a stack of linear layers with ReLU in between."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIZE = 28  # MNIST's pictures are SIZE x SIZE pixels
N_PIXELS = SIZE * SIZE  # 784
N_CLASSES = 10


class HiddenLayer(NamedTuple):
    """What one hidden layer computed: `activations` are `relu(pre_activations)`."""

    pre_activations: Tensor  # (B, H)
    activations: Tensor  # (B, H)


class Trace(NamedTuple):
    """One forward pass, with everything that it computed on the way."""

    hidden: list[HiddenLayer]  # first to last
    logits: Tensor  # (B, 10)
    not_a_digit: Tensor  # (B,): the eleventh logit, of "this is no digit"

    @property
    def doubt(self) -> Tensor:
        """The log-odds, (B,), that this is no digit: the softmax of all eleven logits, as such."""
        return self.not_a_digit - self.logits.logsumexp(1)


class MLP(nn.Module):
    """Classify digits: 784 pixels, any number of hidden ReLU layers, 10 logits.

    `hidden_sizes=()` has no hidden layer, which makes it logistic regression.
    Beside the ten logits, the last hidden layer feeds an eleventh, which says that this is no
    digit at all. The layers start as `nn.Linear` starts them: uniform in ±1/sqrt(inputs).
    """

    def __init__(self, hidden_sizes: Sequence[int] = (32,)) -> None:
        super().__init__()
        self.hidden_sizes = tuple(hidden_sizes)
        sizes = (N_PIXELS, *self.hidden_sizes, N_CLASSES)
        self.layers = nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in pairwise(sizes))
        self.not_a_digit = nn.Linear(sizes[-2], 1)

    @property
    def n_parameters(self) -> int:
        """How many numbers were learned."""
        return sum(p.numel() for p in self.parameters())

    def silence(self) -> None:
        """Let the head that was not trained say of everything that it is a digit."""
        nn.init.zeros_(self.not_a_digit.weight)
        nn.init.constant_(self.not_a_digit.bias, -20.0)

    @staticmethod
    def from_pretrained(
        source: str | Path,
        *,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        token: str | bool | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
        map_location: str | torch.device = "cpu",
        strict: bool = True,
    ) -> "MLP":
        """Load OWNER/NAME of the Hub, a folder, or a shipped model, in eval mode.

        The parameters are PyTorchModelHubMixin's. Unlike it, this takes safetensors alone, fills
        nothing in, and believes no default: what does not fit in all is an error. There is no
        `push_to_hub`: `python -m training.publish` pushes a card with the weights. What a Reader
        adds to them (temperature and threshold) is not in an MLP: see `Reader.load`.

        Raises:
            CheckpointError: it is not there, or not strictly what it must be.
            ValueError: `strict` is False.
        """
        from model import checkpoint, hub  # which build on this module

        if not strict:
            raise ValueError("strict=False would leave random weights in place of missing ones.")
        options = hub.DownloadOptions(
            cache_dir=cache_dir, token=token,
            force_download=force_download, local_files_only=local_files_only,
        )  # fmt: skip
        model = checkpoint.load(source, revision=revision, options=options).model
        return model.requires_grad_(True).to(map_location)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write model.safetensors and config.json, named after the folder, which never refuses.

        Raises:
            CheckpointError: a weight is not finite, or the folder's name is no name.
        """
        from model import checkpoint

        checkpoint.save(folder, self, name=Path(folder).resolve().name)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, (B, 10), of images, (B, 784) or (B, 1, 28, 28) in 0..1."""
        return self.trace(images).logits

    def trace(self, images: Tensor) -> Trace:
        """Run the forward pass and keep everything that it computed on the way.

        `images` is (B, 784) or (B, 1, 28, 28), float32 in 0..1, ink 1 on paper 0.
        """
        inputs = images.flatten(1)
        hidden = []
        for layer in self.layers[:-1]:
            pre_activations = layer(inputs)  # inputs @ W.T + b
            inputs = F.relu(pre_activations)
            hidden.append(HiddenLayer(pre_activations, inputs))
        return Trace(hidden, self.layers[-1](inputs), self.not_a_digit(inputs).squeeze(1))


def parameter_shapes(hidden_sizes: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every entry of an MLP's state_dict without building the MLP."""
    shapes: dict[str, tuple[int, ...]] = {}
    sizes = (N_PIXELS, *hidden_sizes, N_CLASSES)
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        shapes[f"layers.{i}.weight"] = (n_out, n_in)
        shapes[f"layers.{i}.bias"] = (n_out,)
    return shapes | {"not_a_digit.weight": (1, sizes[-2]), "not_a_digit.bias": (1,)}
