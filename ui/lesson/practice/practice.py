"""A network of one's own, trained from the page; see practice.js for what it asks."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import wraps
from typing import Any

import torch

from lesson.data import load_subset
from lesson.fit import HIDDEN_SIZES, MAX_EPOCHS, MAX_LR, Settings, SettingsError, parse_settings
from lesson.trainings import BusyError, Trainings
from model import DrawingError, PictureError, Reader
from model.checkpoint import Checkpoint, Config
from model.limits import Limits
from model.mlp import MLP
from model.mnist import TRAIN_SIZE, VAL_SIZE, has_train
from ui.draw.sketchpad import QuestionError, field, read_ink
from ui.message import answer

NAME = "yours"
REFUSALS = (QuestionError, SettingsError, BusyError, DrawingError, PictureError)
Answer = Callable[[Any], dict[str, Any]]


def practice(trainings: Trainings | None, *, limits: Limits) -> list[Answer]:
    """Return what the page can ask; nothing where training is off.

    A question is an object with `visitor`, the name that the page made up for its tab. What
    cannot be answered gives {"error": what to do}.
    """
    if trainings is None:
        return []

    def reader_of(network: MLP) -> Reader:
        checkpoint = Checkpoint(Config(NAME, network.hidden_sizes), network)
        return Reader(checkpoint, device=torch.device("cpu"), limits=limits)

    def train(question: Any) -> dict[str, Any]:
        """Start a training by `settings`, which takes the place of the visitor's older one."""
        settings = parse_settings(field(question, "settings", dict))
        return _seen(question, trainings.start(_visitor(question), settings))

    def look(question: Any) -> dict[str, Any]:
        """Tell how the training stands: of its curves what is new since `since`."""
        return _seen(question, trainings.look(_visitor(question), **_since(question)))

    def stop(question: Any) -> dict[str, Any]:
        """End the training with what it has learned; `look` tells when it has."""
        return _seen(question, trainings.stop(_visitor(question)))

    def yours(question: Any) -> dict[str, Any]:
        """Read the ink by the visitor's own network."""
        network = trainings.network(_visitor(question))
        if network is None:
            raise QuestionError("Your network is no longer here: train another.")
        reading = read_ink(reader_of(network), question)
        return answer(reading) | {"hidden_sizes": list(network.hidden_sizes)}

    def _seen(question: Any, training: dict[str, Any]) -> dict[str, Any]:
        known = trainings.network(_visitor(question)) is not None
        return training | {"has_network": known}

    return [_answering(each) for each in (train, look, stop, yours)]


def offer(trainings: Trainings | None) -> dict[str, Any] | None:
    """Return what can be chosen; None where training is off."""
    if trainings is None:
        return None
    sizes = [len(part.labels) for part in load_subset()]
    images = {"subset": dict(zip(("train", "val"), sizes, strict=True))}
    if trainings.data_dir and has_train(trainings.data_dir):
        images["mnist"] = {"train": TRAIN_SIZE, "val": VAL_SIZE}
    return {
        "defaults": asdict(Settings()),
        "hidden_sizes": HIDDEN_SIZES,
        "max_lr": MAX_LR,
        "max_epochs": MAX_EPOCHS,
        "images": images,
    }


def _answering(function: Answer) -> Answer:
    """Let a function answer with the message of what it refuses."""

    @wraps(function)
    def answering(question: Any) -> dict[str, Any]:
        try:
            return function(question)
        except REFUSALS as error:
            return {"error": str(error)}

    return answering


def _visitor(question: Any) -> str:
    return field(question, "visitor", str)


def _since(question: Mapping[str, Any]) -> dict[str, Any]:
    """Return how much of the curves the page has, which `look` checks."""
    names = ("since_loss", "since_val", "since_step")
    return {name: question[name] for name in names if name in question}
