"""The house stands as it is drawn: which rooms know of which."""

import pytest

from tests.conftest import run


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("model", ["gradio", "training", "torchvision", "huggingface_hub"]),
        ("training.__main__", ["gradio", "ui", "app"]),
        ("app", ["training", "torchvision"]),
    ],
)
def test_arrows_point_one_way(module, forbidden):
    code = f"import sys, {module}; print([m for m in {forbidden!r} if m in sys.modules])"
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"
