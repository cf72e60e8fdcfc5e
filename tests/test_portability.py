"""Tests that the code names the encoding of text files, which differs between systems."""

import ast
import re

import pytest

from tests.conftest import ROOT

SCRIPTS = [ROOT / ".ci" / name for name in ("check-report", "image-test")]
SOURCES = [
    path for path in sorted([*ROOT.rglob("*.py"), *SCRIPTS]) if ".venv" not in path.parts
]  # fmt: skip
MODE = re.compile(r"[rwax][+t]*")  # modes of text files


def without_encoding(source):
    """Yield the lines of calls that read or write text without an encoding."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and not any(k.arg == "encoding" for k in node.keywords):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if _is_text(name, node, {k.arg: k.value for k in node.keywords}):
                yield node.lineno


def _is_text(name, node, keywords):
    if name in ("read_text", "write_text"):
        return len(node.args) < {"read_text": 1, "write_text": 2}[name]
    if name in ("open", "NamedTemporaryFile", "TemporaryFile"):
        modes = [*node.args, *(value for key, value in keywords.items() if key == "mode")]
        texts = [each.value for each in modes if isinstance(each, ast.Constant)]
        given = any(isinstance(each, str) and MODE.fullmatch(each) for each in texts)
        return given or (name == "open" and isinstance(node.func, ast.Attribute) and not modes)
    text = keywords.get("text", keywords.get("universal_newlines"))
    return isinstance(text, ast.Constant) and text.value is True


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_text_is_read_and_written_with_an_encoding(path):
    assert [*without_encoding(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("path.read_text()", 1),
        ("path.read_text('utf-8')", 0),
        ("path.write_text(text)", 1),
        ("path.write_text(text, encoding='utf-8')", 0),
        ("open(name, 'w')", 1),
        ("open(name, 'wb')", 0),
        ("path.open()", 1),
        ("path.open('rb')", 0),
        ("Image.open(file)", 0),
        ("subprocess.run(command, text=True)", 1),
        ("subprocess.run(command, text=True, encoding='utf-8')", 0),
        ("subprocess.run(command, capture_output=True)", 0),
    ],
)
def test_calls_without_an_encoding_are_found(code, found):
    assert len([*without_encoding(code)]) == found
