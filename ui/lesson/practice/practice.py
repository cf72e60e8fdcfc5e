"""The server side of "Train your own": practice.js calls these functions."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import wraps
from typing import Any

import torch

from lesson.data import load_subset
from lesson.fit import MAX_EPOCHS, Settings, SettingsError, parse_settings
from lesson.trainings import BusyError, Trainings
from model import DrawingError, PictureError, Reader
from model.checkpoint import Checkpoint, Config
from model.limits import Limits
from model.mnist import TRAIN_SIZE, VAL_SIZE, has_train
from ui.draw.sketchpad import QuestionError, field, read_ink
from ui.message import answer

NAME = "yours"
REFUSALS = (QuestionError, SettingsError, BusyError, DrawingError, PictureError)
ServerFunction = Callable[[Any], Awaitable[dict[str, Any]]]


def practice(trainings: Trainings | None, *, limits: Limits) -> list[ServerFunction]:
    """Return the functions that the page can call; none if training is off.

    Their argument is an object with `visitor`, the random name of a tab. A request that is refused
    gets {"error": message}.
    """
    if trainings is None:
        return []

    async def train(question: Any) -> dict[str, Any]:
        """Start a training with `settings`, and return its status."""
        settings = parse_settings(field(question, "settings", dict))
        return await trainings.start(_visitor(question), settings)

    async def status(question: Any) -> dict[str, Any]:
        """Return the status of the training."""
        return trainings.status(_visitor(question))

    async def stop(question: Any) -> dict[str, Any]:
        """Stop the training, and return its status."""
        return trainings.stop(_visitor(question))

    async def yours(question: Any) -> dict[str, Any]:
        """Read the ink with the visitor's network."""
        network = trainings.network(_visitor(question))
        if network is None:
            raise QuestionError("Your network is no longer here: train another.")
        checkpoint = Checkpoint(Config(NAME, network.hidden_sizes), network)
        reader = Reader(checkpoint, device=torch.device("cpu"), limits=limits)
        reading = await asyncio.to_thread(read_ink, reader, question)
        return answer(reading) | {"hidden_sizes": list(network.hidden_sizes)}

    return [_returning_refusals(function) for function in (train, status, stop, yours)]


def offer(trainings: Trainings | None) -> dict[str, Any] | None:
    """Return the settings that a visitor can choose; None if training is off."""
    if trainings is None:
        return None
    sizes = [len(part.labels) for part in load_subset()]
    images = {"subset": dict(zip(("train", "val"), sizes, strict=True))}
    if trainings.data_dir and has_train(trainings.data_dir):
        images["mnist"] = {"train": TRAIN_SIZE, "val": VAL_SIZE}
    return {
        "defaults": asdict(Settings()),
        "max_epochs": MAX_EPOCHS,
        "images": images,
    }


def _returning_refusals(function: ServerFunction) -> ServerFunction:
    @wraps(function)
    async def wrapper(question: Any) -> dict[str, Any]:
        try:
            return await function(question)
        except REFUSALS as error:
            return {"error": str(error)}

    return wrapper


def _visitor(question: Any) -> str:
    return field(question, "visitor", str)
