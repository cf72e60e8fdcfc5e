"""Train a small network; the lesson shows this code."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from lesson.data import Digits
from model.mlp import MLP, N_CLASSES, N_PIXELS

BATCH_SIZE, VAL_BATCH_SIZE = 128, 256
HIDDEN_SIZES = (8, 256)  # minimum and maximum
MAX_LR = 2.0
MAX_EPOCHS = {"subset": 30, "mnist": 10}
MAX_SEED = 2**32 - 1


class SettingsError(ValueError):
    """A setting is invalid; the message says what is allowed."""


class Student(nn.Module):
    """A network with one hidden layer, with ReLU or without it, for comparison."""

    def __init__(self, hidden_size: int, *, relu: bool = True) -> None:
        super().__init__()
        self.layer1 = nn.Linear(N_PIXELS, hidden_size)
        self.layer2 = nn.Linear(hidden_size, N_CLASSES)
        self.relu = relu

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, (B, 10), of images, (B, 784) or (B, 1, 28, 28) in 0..1."""
        hidden = self.layer1(images.flatten(1))
        if self.relu:
            hidden = F.relu(hidden)
        return self.layer2(hidden)

    @torch.no_grad()
    def to_mlp(self) -> MLP:
        """Convert to an `MLP` for use with `Reader`. Rejection is disabled.

        Without ReLU, the two layers are one linear map, so the MLP has no hidden layer.
        """
        linears = (
            [self.layer1, self.layer2] if self.relu else [multiplied(self.layer1, self.layer2)]
        )
        mlp = MLP([linear.out_features for linear in linears[:-1]])
        for layer, linear in zip(mlp.layers, linears, strict=True):
            layer.load_state_dict(linear.state_dict())
        mlp.disable_rejection()
        return mlp.eval().requires_grad_(False)


@torch.no_grad()
def multiplied(first: nn.Linear, second: nn.Linear) -> nn.Linear:
    """Return the linear layer that is equivalent to two, one after the other."""
    both = nn.Linear(first.in_features, second.out_features)
    both.weight.copy_(second.weight.double() @ first.weight.double())
    both.bias.copy_(second.weight.double() @ first.bias.double() + second.bias)
    return both


def fit_epoch(model: nn.Module, digits: Digits, optimizer: Optimizer) -> Iterator[float]:
    """Train on each image once, in random order; yield the loss of each batch."""
    for batch in torch.randperm(len(digits.images)).split(BATCH_SIZE):
        logits = model(digits.images[batch] / 255)
        loss = F.cross_entropy(logits, digits.labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()


@torch.inference_mode()
def evaluate(model: nn.Module, digits: Digits) -> tuple[float, float]:
    """Return the mean cross-entropy in nats and the accuracy in 0..1."""
    loss, correct = 0.0, 0
    batches = zip(*(tensor.split(VAL_BATCH_SIZE) for tensor in digits), strict=True)
    for images, labels in batches:
        logits = model(images / 255)
        loss += F.cross_entropy(logits, labels, reduction="sum").item()
        correct += int((logits.argmax(1) == labels).sum())
    return loss / len(digits.labels), correct / len(digits.labels)


@dataclass(frozen=True)
class Settings:
    """The settings of a visitor's training run, which determine its weights.

    The defaults reach 94.5 to 95.1 % on the subset's validation images (ten seeds).

    Raises:
        SettingsError: a setting has the wrong type or is out of range.
    """

    hidden_size: int = 128
    lr: float = 0.5  # as in the tutorial; without ReLU, 0.7 may diverge
    epochs: int = 25
    relu: bool = True
    data: str = "subset"  # or "mnist"
    seed: int = 42

    def __post_init__(self) -> None:
        if not isinstance(self.data, str) or self.data not in MAX_EPOCHS:
            raise SettingsError(f"data is {_shown(self.data)}; choose {' or '.join(MAX_EPOCHS)}.")
        if not isinstance(self.relu, bool):
            raise SettingsError(f"relu is {_shown(self.relu)}; choose true or false.")
        if not _is_number(self.lr) or not 0 < self.lr <= MAX_LR:
            wanted = f"a number above 0, {MAX_LR:g} at most"
            raise SettingsError(f"The learning rate is {_shown(self.lr)}; choose {wanted}.")
        _check_whole("The hidden size", self.hidden_size, HIDDEN_SIZES)
        _check_whole("The number of epochs", self.epochs, (1, MAX_EPOCHS[self.data]))
        _check_whole("The seed", self.seed, (0, MAX_SEED))


def parse_settings(value: Any) -> Settings:
    """Return settings from parsed JSON; missing ones have their defaults.

    Raises:
        SettingsError: the settings are invalid.
    """
    known = [field.name for field in fields(Settings)]
    if not isinstance(value, dict):
        got = "null" if value is None else _shown(value)
        raise SettingsError(
            f"The settings must be an object with any of {', '.join(known)}; got {got}."
        )
    unknown = [key for key in value if key not in known]
    if unknown:
        raise SettingsError(
            f"No setting is called {_shown(unknown[0])}; known: {', '.join(known)}."
        )
    return Settings(**value)


def _check_whole(what: str, value: Any, bounds: tuple[int, int]) -> None:
    low, high = bounds
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise SettingsError(f"{what} is {_shown(value)}; choose a whole number, {low} to {high}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    """Return a short description of any value, for a message."""
    if isinstance(value, int) and abs(value) > MAX_SEED:
        return "too large" if value > 0 else "too small"
    if isinstance(value, (str, int, float)):
        return json.dumps(value[:40] if isinstance(value, str) else value, ensure_ascii=False)
    return "missing" if value is None else f"a {type(value).__name__}"
