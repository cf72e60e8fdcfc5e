"""Continuing an interrupted training."""

import dataclasses
import json
import os
import signal
import sys

import pytest
import torch

from tests import small_training
from tests.conftest import NOTHING_DRAWN, run, start_training
from training.__main__ import main
from training.loop import train
from training.recipe import Recipe
from training.state import STATE_FILE, StateError, delete_state, is_trained

PLAIN = Recipe(hidden_sizes=(16,), epochs=4, batch_size=50)
DISTILLED = dataclasses.replace(
    PLAIN, optimizer="adamw", lr=2e-3, weight_decay=0.05, warmup=0.05, cosine_decay=True,
    distort=0.7, synthetic_digits=0.3, written_digits=0.4, outliers=0.8, ema_decay=0.9,
    teachers=("a", "b"),
)  # fmt: skip


def fit(recipe, **options):
    teachers = small_training.make_teachers(len(recipe.teachers))
    return train(
        recipe, *small_training.mnist_splits(), synthetic=small_training.synthetic_data(),
        teachers=teachers, progress=False, **options,
    )  # fmt: skip


def without_seconds(history):
    return [{key: value for key, value in each.items() if key != "seconds"} for each in history]


@pytest.mark.parametrize("recipe", [PLAIN, DISTILLED], ids=["plain", "distilled"])
def test_a_resumed_training_reaches_the_weights_of_an_uninterrupted_one(
    tmp_path, monkeypatch, recipe
):
    expected = fit(recipe)
    path, steps = tmp_path / "net" / STATE_FILE, []

    def interrupted_step(*arguments, **options):
        steps.append(0)
        if len(steps) == 22:  # in the third epoch of 9 steps
            raise KeyboardInterrupt
        return step(*arguments, **options)

    step = sys.modules["training.loop"].training_step
    with monkeypatch.context() as patch:
        patch.setattr("training.loop.training_step", interrupted_step)
        assert fit(recipe, state_file=path, save_seconds=0).interrupted
    resumed = fit(recipe, state_file=path, save_seconds=0, resume=True)
    for name, weights in expected.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], weights), name
    assert without_seconds(resumed.history) == without_seconds(expected.history)
    assert (resumed.best_epoch, resumed.interrupted) == (expected.best_epoch, False)
    seconds = [each["seconds"] for each in resumed.history]
    assert seconds == sorted(seconds)


def test_without_a_state_or_without_resume_a_training_starts_from_the_first_epoch(tmp_path):
    path = tmp_path / STATE_FILE
    expected = fit(PLAIN)
    for resume in (True, False):
        found = fit(PLAIN, state_file=path, save_seconds=0, resume=resume)
        assert [each["epoch"] for each in found.history] == [1, 2, 3, 4]
        assert torch.equal(found.model.layers[0].weight, expected.model.layers[0].weight)
        path.write_bytes(b"a state that would be an error if it were read")


def test_a_state_is_written_at_intervals_only(tmp_path):
    path = tmp_path / STATE_FILE
    fit(PLAIN, state_file=path, save_seconds=1e6)
    assert not path.exists()


@pytest.fixture
def state(tmp_path):
    path = tmp_path / STATE_FILE
    fit(PLAIN, state_file=path, save_seconds=0)
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": 0.1}, "lr: expected 0.1, found 0.5"),
        ({"epochs": 9, "seed": 7}, "epochs: expected 9, found 4; seed: expected 7, found 42"),
    ],
)
def test_the_state_of_another_recipe_is_an_error(state, changes, message):
    with pytest.raises(
        StateError, match=rf"belongs to a different training \({message}\): train without"
    ):
        fit(dataclasses.replace(PLAIN, **changes), state_file=state, resume=True)


def test_the_state_of_other_processes_or_another_device_is_an_error(state):
    saved = torch.load(state, weights_only=True)
    saved["setup"] |= {"device": "cuda", "processes": 4}
    torch.save(saved, state)
    message = "device: expected cpu, found cuda; processes: expected 1, found 4"
    with pytest.raises(StateError, match=message):
        fit(PLAIN, state_file=state, resume=True)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-200]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"not a file of torch"),
        lambda path: torch.save([1, 2], path),
        lambda path: torch.save({"parts": {}}, path),
        lambda path: torch.save({"setup": {}}, path),
        lambda path: torch.save({"setup": os.getcwd}, path),  # not data
    ],
    ids=["cut", "empty", "text", "list", "no setup", "only a setup", "a function"],
)
def test_a_damaged_state_is_an_error_of_one_line(state, damage):
    damage(state)
    with pytest.raises(StateError, match=r"is damaged: train without --resume") as raised:
        fit(PLAIN, state_file=state, resume=True)
    assert "\n" not in str(raised.value)


def test_deleting_a_state_deletes_files_that_a_killed_process_left(state):
    (state.parent / f".{state.name}.abc").write_bytes(b"half")
    delete_state(state)
    assert not list(state.parent.iterdir())


@pytest.mark.parametrize(
    ("results", "trained"),
    [
        ({"recipe": PLAIN.as_json(), "interrupted": False}, True),
        ({"recipe": PLAIN.as_json(), "interrupted": True}, False),
        ({"recipe": DISTILLED.as_json(), "interrupted": False}, False),
        ([], False),
        (None, False),
    ],
)
def test_a_training_is_finished_if_its_results_are_of_the_recipe(tmp_path, results, trained):
    (tmp_path / "results.json").write_text(json.dumps(results), encoding="utf-8")
    assert is_trained(tmp_path, PLAIN) is trained
    assert not is_trained(tmp_path / "nowhere", PLAIN)


def test_a_killed_command_is_resumed_and_then_left_as_it_is(mnist_dir, tmp_path):
    options = ["--hidden-sizes", "8", "--epochs", "6", "--batch-size", "512", "--samples", "2"]
    options += [*NOTHING_DRAWN, "--data-dir", mnist_dir, "--save-seconds", "0", "--resume", "--out"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process, seen = start_training("-m", "training", *options, str(killed), shown=4)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    assert f"no saved state at {killed / STATE_FILE}: starting from epoch 1" in seen
    assert f"continuing from {killed / STATE_FILE}" in run_training(options, killed)
    assert not list(killed.glob(f"*{STATE_FILE}*"))
    run_training(options, whole)
    weights = [(each / "model.safetensors").read_bytes() for each in (killed, whole)]
    assert weights[0] == weights[1]
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*")}
    assert f"{whole} is already trained" in run_training(options, whole)
    assert before == {path: path.stat().st_mtime_ns for path in whole.rglob("*")}


def run_training(options, out):
    done = run("-m", "training", *options, str(out))
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_an_invalid_interval_is_an_error(capsys):
    with pytest.raises(SystemExit):
        main(["--save-seconds", "-1"])
    assert "--save-seconds must be at least 0" in capsys.readouterr().err
