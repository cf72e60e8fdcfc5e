"""The recipes for clusters: the scripts are linted, and every argument is one that exists."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from torch.distributed.run import get_args_parser

from tests.conftest import ROOT
from training import ensemble
from training.__main__ import main

SCRIPTS = sorted((ROOT / "deploy" / "slurm").glob("*.sbatch"))
DOCUMENT = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", DOCUMENT, re.DOTALL)
NUMBER = r"\d+"
SBATCH = {  # https://slurm.schedmd.com/sbatch.html
    "job-name": r"[\w-]+",
    "nodes": NUMBER,
    "ntasks-per-node": NUMBER,
    "gpus-per-node": NUMBER,
    "cpus-per-task": NUMBER,
    "mem": r"\d+[KMGT]",
    "time": r"\d\d:\d\d:\d\d",
    "requeue": "",
    "open-mode": "append|truncate",
    "output": r"[\w-]+(-%[jAa])+\.log",
    "array": r"\d+-\d+",
}


def commands_in(text):
    """Return the commands of a shell script as lists of words, without its comments."""
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def check(words, capsys):
    """Check the arguments of a command; return whether it is one that this file knows."""
    match words:
        case ["srun", *rest]:
            return check(rest, capsys)
        case ["python", "-m", "training", *arguments]:
            assert main([*arguments, "--dry-run"]) == 0, capsys.readouterr().err
        case ["python", "-m", "training.ensemble", *arguments]:
            ensemble.main([each.replace("$SLURM_ARRAY_TASK_ID", "3") for each in arguments])
        case ["torchrun", *arguments]:
            numbered = [each.replace("$SLURM_NNODES", "2") for each in arguments]
            options = get_args_parser().parse_args(numbered)
            assert options.module
            assert int(options.nproc_per_node) > 1
            check(["python", "-m", options.training_script, *options.training_script_args], capsys)
        case ["sbatch", *arguments]:
            *options, script = arguments
            assert (ROOT / script) in SCRIPTS
            for name, value in zip(options[::2], options[1::2], strict=True):
                assert re.fullmatch(SBATCH[name.removeprefix("--")], value), name
        case ["hf", *arguments]:
            check_hf(arguments, capsys)
        case _:
            return False
    return True


def check_hf(arguments, capsys):
    """Let hf check its command line, without a network."""
    runs_job = arguments[:2] == ["jobs", "run"]
    options = ["--dry-run", *arguments[2:]] if runs_job else ["--help"]
    done = subprocess.run(
        [Path(sys.executable).with_name("hf"), *arguments[:2], *options],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_TOKEN": "hf_x"},
        capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    if runs_job:
        assert arguments[arguments.index("--secrets") + 1] == "HF_TOKEN"
        *_, image, shell, option, script = arguments
        assert (shell, option) == ("bash", "-c")
        # An option that does not exist would be taken for the image.
        assert re.search(rf"^ +image +{image}$", done.stdout, re.MULTILINE), done.stdout
        [training] = [each for each in script.split("&&") if " -m training" in each]
        assert check(shlex.split(training), capsys)


@pytest.fixture(autouse=True)
def nothing_is_trained(monkeypatch, tmp_path):
    monkeypatch.setattr(ensemble, "_train_all", lambda commands, **_: 0)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_trains_with_options_that_exist(script, capsys):
    text = script.read_text(encoding="utf-8")
    assert sum(check(words, capsys) for words in commands_in(text)) == 1
    directives = re.findall(r"^#SBATCH --([\w-]+)=?(.*)$", text, re.MULTILINE)
    assert len(directives) == text.count("#SBATCH")
    for name, value in directives:
        assert re.fullmatch(SBATCH[name], value), name


def test_scripts_are_linted():
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([shellcheck, *SCRIPTS], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", ["torchrun", "sbatch", "hf", "training", "training.ensemble"])
def test_commands_in_the_documentation_have_options_that_exist(kind, capsys):
    commands = [
        words for block in BLOCKS for words in commands_in(block) if kind in {words[0], *words[2:3]}
    ]
    assert len(commands) >= 1
    for words in commands:
        assert check(words, capsys), words
