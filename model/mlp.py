"""The network: a stack of linear layers with ReLU in between."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model import checkpoint_files, hub
from model.shapes import N_CLASSES, N_PIXELS, SIZE, parameter_shapes

__all__ = ["MLP", "N_CLASSES", "N_PIXELS", "SIZE", "HiddenLayer", "Trace", "parameter_shapes"]


class HiddenLayer(NamedTuple):
    """The values of one hidden layer: `activations` are `relu(pre_activations)`."""

    pre_activations: Tensor  # (B, H)
    activations: Tensor  # (B, H)


class Trace(NamedTuple):
    """The result of a forward pass, with all intermediate values."""

    hidden: list[HiddenLayer]  # from the first to the last
    logits: Tensor  # (B, 10)
    not_a_digit: Tensor  # (B,): the eleventh logit, for "not a digit"

    @property
    def rejection_log_odds(self) -> Tensor:
        """Log-odds of the "not a digit" class under the 11-way softmax, shape (B,)."""
        return self.not_a_digit - self.logits.logsumexp(1)


class MLP(nn.Module):
    """Classify digits: 784 pixels, any number of hidden ReLU layers, 10 logits.

    With `hidden_sizes=()` there is no hidden layer, and the network is logistic regression. The
    last hidden layer also feeds an eleventh logit, for "not a digit". The layers are initialised
    as `nn.Linear` is: uniformly in ±1/sqrt(inputs).
    """

    def __init__(self, hidden_sizes: Sequence[int] = (32,)) -> None:
        super().__init__()
        self.hidden_sizes = tuple(hidden_sizes)
        sizes = (N_PIXELS, *self.hidden_sizes, N_CLASSES)
        self.layers = nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in pairwise(sizes))
        self.not_a_digit = nn.Linear(sizes[-2], 1)

    @property
    def n_parameters(self) -> int:
        """The number of learned parameters."""
        return sum(p.numel() for p in self.parameters())

    def disable_rejection(self) -> None:
        """Make the untrained rejection head accept every input."""
        nn.init.zeros_(self.not_a_digit.weight)
        nn.init.constant_(self.not_a_digit.bias, -20.0)

    @staticmethod
    def from_state_dict(hidden_sizes: Sequence[int], state_dict: Mapping[str, Tensor]) -> "MLP":
        """Return a network in eval mode whose parameters are the given tensors, without gradients.

        The tensors are not copied. Each of `parameter_shapes(hidden_sizes)` must be there.
        """
        with torch.device("meta"):
            model = MLP(hidden_sizes)
        model.load_state_dict(state_dict, assign=True)
        return model.eval().requires_grad_(False)

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
        """Load a network in eval mode: the Hub's OWNER/NAME, a folder, or a shipped model's name.

        The parameters are those of PyTorchModelHubMixin. Unlike the mixin, this method loads only
        safetensors, and any missing or unexpected key is an error. There is no `push_to_hub`:
        `python -m training.publish` pushes the weights with a model card. The calibration
        (temperature and threshold) belongs to a Reader, not to an MLP: see `Reader.load`.

        Raises:
            CheckpointError: there is no such checkpoint, or it is invalid.
            ValueError: `strict` is False.
        """
        if not strict:
            raise ValueError("strict=False would leave random weights in place of missing ones.")
        options = hub.DownloadOptions(
            cache_dir=cache_dir, token=token,
            force_download=force_download, local_files_only=local_files_only,
        )  # fmt: skip
        folder, _ = checkpoint_files.find_folder(source, revision=revision, options=options)
        config, state_dict = checkpoint_files.read_network(folder)
        model = MLP.from_state_dict(config.hidden_sizes, state_dict)
        return model.requires_grad_(True).to(map_location)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write model.safetensors and a config.json that never rejects, named after the folder.

        Raises:
            CheckpointError: a weight is not finite, or the folder's name cannot name a model.
        """
        config = checkpoint_files.Config(Path(folder).resolve().name, self.hidden_sizes)
        checkpoint_files.write_network(Path(folder), config, self.state_dict())

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, (B, 10), of images, (B, 784) or (B, 1, 28, 28), float32 in 0..1."""
        return self.trace(images).logits

    def trace(self, images: Tensor) -> Trace:
        """Run the forward pass and return all intermediate values.

        `images` is (B, 784) or (B, 1, 28, 28), float32 in 0..1, with ink 1 and paper 0.
        """
        inputs = images.flatten(1)
        hidden = []
        for layer in self.layers[:-1]:
            pre_activations = layer(inputs)  # inputs @ W.T + b
            inputs = F.relu(pre_activations)
            hidden.append(HiddenLayer(pre_activations, inputs))
        return Trace(hidden, self.layers[-1](inputs), self.not_a_digit(inputs).squeeze(1))
