"""Checkpoints of version 0.1.0 still load, under today's keys."""

import json
import shutil

import pytest

from model.checkpoint import RESULTS_FILE, SHIPPED, load
from model.old_results import FIGURE_KEYS, RECIPE_KEYS, rename_old_keys
from training.recipe import PRESETS


@pytest.mark.parametrize("name", ["logistic", "mlp-32"])
def test_results_with_old_keys_load_with_todays(name, tmp_path):
    results = json.loads((SHIPPED / name / RESULTS_FILE).read_text(encoding="utf-8"))
    assert results["recipe"] == PRESETS[name].as_json()
    assert set(RECIPE_KEYS.values()) <= results["recipe"].keys()
    recipe = to_old(results["recipe"], RECIPE_KEYS)
    recipe["teacher"] = "".join(recipe.pop("teachers"))
    history = [to_old(epoch, FIGURE_KEYS) for epoch in results["history"]]
    old = to_old(results, FIGURE_KEYS) | {"recipe": recipe, "history": history}
    assert "pens_accuracy" in old.keys() & old["history"][0].keys()
    checkpoint = shutil.copytree(SHIPPED / name, tmp_path / name)
    (checkpoint / RESULTS_FILE).write_text(json.dumps(old), encoding="utf-8")
    assert load(checkpoint).results == load(name).results == results


def to_old(values, names):
    old = {new: key for key, new in names.items()}
    return {old.get(key, key): value for key, value in values.items()}


@pytest.mark.parametrize(
    "results", [{}, {"recipe": 3}, {"history": [1, None]}, {"recipe": {"epochs": 2}, "history": {}}]
)
def test_other_values_stay_as_they_are(results):
    assert rename_old_keys(results) == results
