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
from ui.draw.sketchpad import RequestError, field, read_ink
from ui.message import answer

NAME = "yours"
REJECTIONS = (RequestError, SettingsError, BusyError, DrawingError, PictureError)
ServerFunction = Callable[[Any], Awaitable[dict[str, Any]]]


def practice(trainings: Trainings | None, *, limits: Limits) -> list[ServerFunction]:
    """Return the functions that the page can call; none if training is off.

    Their argument is an object with `visitor`, the ID of a tab. The response to a rejected request
    is {"error": message}.
    """
    if trainings is None:
        return []

    async def train(request: Any) -> dict[str, Any]:
        """Start a training run with `settings`, and return its status."""
        settings = parse_settings(field(request, "settings", dict))
        return await trainings.start(_visitor(request), settings)

    async def status(request: Any) -> dict[str, Any]:
        """Return the status of the training run."""
        return trainings.status(_visitor(request))

    async def stop(request: Any) -> dict[str, Any]:
        """Stop the training run, and return its status."""
        return trainings.stop(_visitor(request))

    async def yours(request: Any) -> dict[str, Any]:
        """Read the ink with the visitor's network."""
        network = trainings.network(_visitor(request))
        if network is None:
            raise RequestError("Your network is no longer available. Train a new one.")
        checkpoint = Checkpoint(Config(NAME, network.hidden_sizes), network)
        reader = Reader(checkpoint, device=torch.device("cpu"), limits=limits)
        reading = await asyncio.to_thread(read_ink, reader, request)
        return answer(reading) | {"hidden_sizes": list(network.hidden_sizes)}

    return [_with_error_response(function) for function in (train, status, stop, yours)]


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


def _with_error_response(function: ServerFunction) -> ServerFunction:
    @wraps(function)
    async def wrapper(request: Any) -> dict[str, Any]:
        try:
            return await function(request)
        except REJECTIONS as error:
            return {"error": str(error)}

    return wrapper


def _visitor(request: Any) -> str:
    return field(request, "visitor", str)
