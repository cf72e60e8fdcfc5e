"""Which package may import which; see docs/architecture.md."""

import ast
import importlib.util

import pytest

import training
from tests.conftest import ROOT, run

ALLOWED = {
    "model": set(),
    "lesson": {"model"},
    "ui": {"lesson", "model"},
    "server": {"model"},
    "training": {"model"},
    "app": {"ui", "lesson", "model", "server"},
}
OWN = {*ALLOWED, "benchmarks", "tests"}


def modules():
    for package in ALLOWED:
        for path in [*ROOT.glob(f"{package}.py"), *ROOT.glob(f"{package}/**/*.py")]:
            yield package, path


def imported(path):
    """Yield the modules that a file imports, at its top or inside of functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_those_to_its_right(package):
    for path in [path for owner, path in modules() if owner == package]:
        others = {name for name in imported(path) if name.partition(".")[0] in OWN - {package}}
        assert {name.partition(".")[0] for name in others} <= ALLOWED[package], (path, others)
        if package == "server":
            assert all(name.startswith("model.limits") for name in others), (path, others)


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("model", ["gradio", "torchvision", "huggingface_hub"]),
        ("lesson.live", ["gradio", "torchvision", "huggingface_hub"]),
        ("training.__main__", ["gradio"]),
        ("app", ["torchvision", "matplotlib"]),
    ],
)
def test_packages_that_are_not_needed_are_not_imported(module, forbidden):
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
