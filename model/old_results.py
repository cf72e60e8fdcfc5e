"""Read results.json of earlier versions, which gave some keys other names."""

from collections.abc import Mapping
from typing import Any

# Keys that version 0.1.0 wrote, and their names today.
RECIPE_KEYS = {"pens": "synthetic_digits", "average": "ema_decay", "decay": "cosine_decay"}
FIGURE_KEYS = {"pens_accuracy": "synthetic_digits_accuracy"}  # of the file, and of each epoch


def rename_old_keys(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of results.json under today's keys. Values are not checked."""
    renamed = _rename(results, FIGURE_KEYS)
    if isinstance(recipe := renamed.get("recipe"), dict):
        recipe = _rename(recipe, RECIPE_KEYS)
        if isinstance(teacher := recipe.pop("teacher", None), str):  # one name, or ""
            recipe["teachers"] = [teacher] if teacher else []
        renamed["recipe"] = recipe
    if isinstance(history := renamed.get("history"), list):
        renamed["history"] = [
            _rename(epoch, FIGURE_KEYS) if isinstance(epoch, dict) else epoch for epoch in history
        ]
    return renamed


def _rename(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in values.items()}
