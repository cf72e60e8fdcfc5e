"""Checkpoints of version 0.1.0 still load, under today's keys."""

import json

import pytest

from model.checkpoint import RESULTS_FILE, SHIPPED, load, shipped_names
from model.old_results import FIGURE_KEYS, RECIPE_KEYS, rename_old_keys
from training.recipe import PRESETS


@pytest.mark.parametrize("name", shipped_names())
def test_the_shipped_results_have_the_keys_of_today(name):
    written = json.loads((SHIPPED / name / RESULTS_FILE).read_text(encoding="utf-8"))
    results = load(name).results
    recipe = PRESETS[name].as_json()
    assert results["recipe"] == recipe
    assert RECIPE_KEYS.keys() <= written["recipe"].keys()
    assert set(RECIPE_KEYS.values()) <= recipe.keys()
    for old, new in FIGURE_KEYS.items():
        assert (results[new], old in results) == (written[old], False)
        epochs = zip(results["history"], written["history"], strict=True)
        assert all(epoch[new] == before[old] for epoch, before in epochs)


@pytest.mark.parametrize(
    "results", [{}, {"recipe": 3}, {"history": [1, None]}, {"recipe": {"epochs": 2}, "history": {}}]
)
def test_other_values_stay_as_they_are(results):
    assert rename_old_keys(results) == results
