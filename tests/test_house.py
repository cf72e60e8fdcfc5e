"""The house stands as it is drawn: which rooms know of which."""

import importlib.util

import pytest

import training
from tests.conftest import run


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("model", ["gradio", "training", "torchvision", "huggingface_hub"]),
        ("lesson.framing", ["gradio", "ui", "training", "torchvision", "huggingface_hub"]),
        ("training.__main__", ["gradio", "ui", "app"]),
        ("app", ["training", "torchvision"]),
        ("lesson.live", ["gradio", "ui", "training", "torchvision", "huggingface_hub"]),
    ],
)
def test_arrows_point_one_way(module, forbidden):
    code = f"import sys, {module}; print([m for m in {forbidden!r} if m in sys.modules])"
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"


def test_what_training_needs_beyond_the_app_is_named(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tqdm" else find(name)
    )
    wanted = "needs tqdm, which the app does not: pip install -r requirements-training.txt"
    with pytest.raises(ImportError, match=wanted):
        importlib.reload(training)
