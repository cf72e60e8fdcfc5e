"""The command that trains one network per seed."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from joblib import cpu_count

from tests.conftest import NOTHING_DRAWN, ROOT, run
from training import ensemble
from training.recipe import MEMBERS, PRESETS

EVALUATION = {"test": {"accuracy": {"value": 0.99, "low": 0.98, "high": 1.0}, "refused": 0.004}}


@pytest.fixture
def trainings(tmp_path, monkeypatch):
    """Return the seeds that are trained, instead of training them."""
    seeds = []

    def train(arguments, folder):
        assert arguments[-1] == "--resume"
        options = dict(zip(arguments[:-1:2], arguments[1:-1:2], strict=True))
        seeds.append(int(options["--seed"]))
        assert (options["--preset"], options["--data-dir"]) == ("member", "mnist")
        recipe = replace(PRESETS["member"], seed=seeds[-1]).as_json()
        write(options["--out"], finished(recipe, val_accuracy=0.9 + seeds[-1] / 100))
        return 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ensemble, "run_training", train)
    return seeds


def finished(recipe, *, val_accuracy=0.9):
    return {"recipe": recipe, "interrupted": False, "val_accuracy": val_accuracy, "seconds": 100.0}


def write(folder, results):
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, content in (("results", results), ("evaluation", EVALUATION)):
        Path(folder, f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    Path(folder, "README.md").touch()


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


def test_a_member_without_figures_is_evaluated(trainings):
    assert ensemble.main(["--data-dir", "mnist"]) == 0
    Path(MEMBERS[0], "README.md").unlink()
    trainings.clear()
    assert ensemble.main(["--data-dir", "mnist"]) == 0
    assert trainings == seeds_of(MEMBERS[:1])


def test_the_table_has_the_figures_of_each_seed_and_their_mean(trainings, capsys):
    assert ensemble.main(["--data-dir", "mnist"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:] == [
        "| 1 | 91.00 | 99.00 | 1.00 | 0.40 | 100.00 |",
        "| 2 | 92.00 | 99.00 | 1.00 | 0.40 | 100.00 |",
        "| mean ± standard deviation | 91.50 ± 0.71 | 99.00 ± 0.00 | 1.00 ± 0.00 | 0.40 ± 0.00 "
        "| 100.00 ± 0.00 |",
    ]


def test_a_failed_member_does_not_end_the_others(monkeypatch, tmp_path, capsys):
    def fail(arguments, folder):
        seed = int(arguments[arguments.index("--seed") + 1])
        if seed == 3:
            recipe = replace(PRESETS["member"], seed=3).as_json()
            write(arguments[arguments.index("--out") + 1], finished(recipe))
        return 0 if seed == 3 else seed

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ensemble, "run_training", fail)
    assert ensemble.main(["--seeds", "1", "2", "3"]) == 2
    captured = capsys.readouterr()
    assert captured.out.splitlines()[2:] == ["| 3 | 90.00 | 99.00 | 1.00 | 0.40 | 100.00 |"]
    for seed in (1, 2):
        assert f"checkpoints/member-{seed} is not finished: the same command" in captured.err


def test_an_interrupted_member_ends_it(monkeypatch, tmp_path):
    def interrupt(arguments, folder):
        write(arguments[arguments.index("--out") + 1], {"recipe": {}, "interrupted": True})
        return 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ensemble, "run_training", interrupt)
    assert ensemble.main([]) == 130
    assert not Path(MEMBERS[1]).exists()


@pytest.mark.parametrize(
    "option", [("--push", "a/b"), ("--dry-run",), ("--data-only",), ("--out", "x"), ("--seed", "7")]
)
def test_options_of_one_training_are_errors(option, capsys):
    with pytest.raises(SystemExit):
        ensemble.main([*option])
    assert re.search("are options of one training|are set for each", capsys.readouterr().err)


def test_a_backend_whose_package_is_missing_is_an_error(trainings, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray.util.joblib", None)
    monkeypatch.setattr(ensemble, "run_training", lambda arguments, folder: 0)
    with pytest.raises(SystemExit):
        ensemble.main(["--backend", "ray"])
    assert "--backend ray needs a package" in capsys.readouterr().err


def test_jobs_train_in_processes_of_their_own(mnist_dir, tmp_path):
    options = ["--hidden-sizes", "8", "--epochs", "1", "--batch-size", "512", "--samples", "2"]
    command = ["-m", "training.ensemble", "--seeds", "1", "2", "--jobs", "2", *options]
    command += [*NOTHING_DRAWN, "--data-dir", mnist_dir, "--quiet"]
    done = run(*command, env={"PYTHONPATH": str(ROOT)}, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()[2:]] == ["1", "2", "mean"]
    results = [
        json.loads((tmp_path / member / "results.json").read_text(encoding="utf-8"))
        for member in MEMBERS
    ]
    assert [each["seed"] for each in results] == [1, 2]
    assert {each["device"] for each in results} == {f"cpu, {max(1, cpu_count() // 2)} threads"}
