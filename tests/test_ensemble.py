"""The command that trains the ensemble."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from training import ensemble
from training.recipe import MEMBERS, PRESETS


@pytest.fixture
def trainings(tmp_path, monkeypatch):
    """Return the seeds that are trained, instead of training them."""
    seeds = []

    def train(arguments):
        options = dict(zip(arguments[::2], arguments[1::2], strict=True))
        seeds.append(int(options["--seed"]))
        assert (options["--preset"], options["--data-dir"]) == ("member", "mnist")
        recipe = replace(PRESETS["member"], seed=seeds[-1]).as_json()
        write(options["--out"], {"recipe": recipe, "interrupted": False})
        return 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ensemble, "train", train)
    return seeds


def write(folder, results):
    Path(folder).mkdir(parents=True, exist_ok=True)
    Path(folder, "results.json").write_text(json.dumps(results), encoding="utf-8")


def seeds_of(members):
    return [int(member.rpartition("-")[2]) for member in members]


def test_members_are_trained_once(trainings, capsys):
    assert ensemble.main(["--data-dir", "mnist"]) == 0
    assert trainings == seeds_of(MEMBERS)
    assert ensemble.main(["--data-dir", "mnist"]) == 0
    assert trainings == seeds_of(MEMBERS)
    assert f"{MEMBERS[0]} is already trained" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change", [{"interrupted": True}, {"recipe": {"seed": 1}}, {"recipe": None}, None]
)
def test_a_member_that_is_not_finished_is_trained_again(trainings, change):
    assert ensemble.main(["--data-dir", "mnist"]) == 0
    path = Path(MEMBERS[-1], "results.json")
    write(path.parent, change and json.loads(path.read_text(encoding="utf-8")) | change)
    trainings.clear()
    assert ensemble.main(["--data-dir", "mnist"]) == 0
    assert trainings == seeds_of(MEMBERS[-1:])


def test_the_first_failure_ends_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ensemble, "train", lambda arguments: 1)
    assert ensemble.main([]) == 1


def test_an_interrupted_member_ends_it(monkeypatch, tmp_path):
    def interrupt(arguments):
        write(arguments[arguments.index("--out") + 1], {"recipe": {}, "interrupted": True})
        return 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ensemble, "train", interrupt)
    assert ensemble.main([]) == 130
    assert not Path(MEMBERS[1]).exists()
