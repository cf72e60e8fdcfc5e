"""Which package may import which, and that there are no cycles; see docs/architecture.md."""

import ast
import graphlib
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


def imports(path):
    """Yield what a file imports, at its top or in functions: a module, and a name in it or None."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((each.name, None) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            yield from ((node.module, each.name) for each in node.names)


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_those_to_its_right(package):
    for path in [path for owner, path in modules() if owner == package]:
        others = {name for name, _ in imports(path) if name.partition(".")[0] in OWN - {package}}
        assert {name.partition(".")[0] for name in others} <= ALLOWED[package], (path, others)
        if package == "server":
            assert all(name.startswith("model.limits") for name in others), (path, others)


def import_graph():
    """Return the modules that each module of this project imports."""
    paths = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] not in OWN:
            continue
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    graph = {}
    for module, path in paths.items():
        found = {  # `from package import module` imports the module
            f"{name}.{part}" if f"{name}.{part}" in paths else name for name, part in imports(path)
        }
        graph[module] = found & paths.keys()
    return graph


def test_no_modules_import_each_other_in_a_cycle():
    graph = import_graph()
    assert "training.loop" in graph["training.__main__"]
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the modules


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("lesson.live, model", ["gradio", "torchvision", "huggingface_hub"]),
        ("training.__main__", ["gradio"]),
        ("app", ["torchvision", "matplotlib"]),
    ],
)
def test_packages_that_are_not_needed_are_not_imported(module, forbidden):
    code = f"import sys, {module}; print([m for m in {forbidden!r} if m in sys.modules])"
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"


def test_missing_training_dependency_is_reported(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tqdm" else find(name)
    )
    wanted = "needs tqdm, which .* Run: pip install -r requirements-training.txt"
    with pytest.raises(ImportError, match=wanted):
        importlib.reload(training)
