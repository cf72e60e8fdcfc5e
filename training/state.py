"""Save the state of a training at intervals, to continue after an interruption."""

import json
import pickle
from pathlib import Path
from typing import Any

import torch

from model.checkpoint import RESULTS_FILE, write_whole
from training.distributed import world_size
from training.recipe import Recipe

STATE_FILE = "training-state.pt"  # in the folder of the checkpoint; never pushed
SAVE_SECONDS = 60.0  # between two writes, at least
KEYS = {"parts", "generator", "result", "best", "best_score", "setup"}
_AGAIN = "train without --resume to start again"


class StateError(ValueError):
    """The training cannot continue from this state; the message says why, and what to do."""


def is_trained(folder: Path, recipe: Recipe) -> bool:
    """Return whether a folder holds a network that was trained to the end with this recipe."""
    try:
        results = json.loads((folder / RESULTS_FILE).read_text(encoding="utf-8"))
        return results["recipe"] == recipe.as_json() and not results["interrupted"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def save_state(path: Path, state: dict[str, Any], recipe: Recipe, device: torch.device) -> None:
    """Write a state of tensors, numbers and text atomically, with what it depends on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = state | {"setup": _setup(recipe, device)}
    write_whole(path, lambda temporary: torch.save(whole, temporary))


def load_state(path: Path, recipe: Recipe, device: torch.device) -> dict[str, Any] | None:
    """Return the saved state, on the CPU, or None if there is none.

    Raises:
        StateError: the file is damaged, or was written with another recipe, device or number of
            processes.
    """
    damaged = f"{path} is damaged: {_AGAIN}, or delete it."
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise StateError(damaged) from error
    if not isinstance(state, dict) or state.keys() != KEYS:
        raise StateError(damaged)
    saved, setup = state["setup"], _setup(recipe, device)
    if different := [key for key in setup if saved.get(key) != setup[key]]:
        found = "; ".join(
            f"{key}: expected {setup[key]}, found {saved.get(key)}" for key in different
        )
        raise StateError(f"{path} belongs to a different training ({found}): {_AGAIN}.")
    return state


def delete_state(path: Path) -> None:
    """Delete a state, and files that a killed process has left half-written."""
    for each in [path, *path.parent.glob(f".{path.name}.*")]:
        each.unlink(missing_ok=True)


def _setup(recipe: Recipe, device: torch.device) -> dict[str, Any]:
    return recipe.as_json() | {"device": device.type, "processes": world_size()}
