"""The README's code runs as it is written."""

import json
import re
import subprocess

import pytest

from tests.conftest import ROOT, run

README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_python_reads_a_seven():
    [code] = [block for block in blocks("python") if "Reader.load" in block]
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("digit 7 0.")
    assert done.stdout.endswith("\n7\n")


def test_gradio_client_reads_a_seven(app_url):
    [code] = [block for block in blocks("python") if "Client(" in block]
    done = run("-c", code.replace("http://127.0.0.1:7860", app_url))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("'digit': 7") == 2


@pytest.mark.parametrize("call", ["call/v2", "run"])
def test_curl_reads_a_seven(app_url, call):
    [code] = [block for block in blocks("bash") if f"gradio_api/{call}/" in block]
    command, _, stream = code.replace("http://127.0.0.1:7860", app_url).partition("\ncurl ")
    answer = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    if stream:
        event = json.loads(answer.stdout)["event_id"]
        follow = f"curl {stream}".replace("EVENT_ID", event)
        answer = subprocess.run(["bash", "-c", follow], capture_output=True, text=True, check=True)
    assert re.search(r'"digit": ?7\b', answer.stdout), answer.stdout


def test_the_tree_names_what_there_is():
    [tree] = re.findall(r"^```\n(app\.py.*?)^```", README, re.DOTALL | re.MULTILINE)
    for line in tree.splitlines():
        name = line.split()[0].removesuffix("*")
        assert list(ROOT.glob(f"{name}*")), name
    named = {line.split()[0] for line in tree.splitlines()}
    for path in [*ROOT.glob("model/*.py"), *ROOT.glob("training/*.py"), *ROOT.glob("ui/*.py")]:
        place = str(path.relative_to(ROOT))
        assert path.name == "__init__.py" or {place, f"{place.removesuffix('py')}*"} & named, place


def test_the_figures_are_the_checkpoints():
    for name in ("logistic", "mlp-32", "mlp-1024"):
        results = json.loads((ROOT / "model" / "weights" / name / "results.json").read_text())
        [row] = re.findall(rf"^\| `{name}` \| 784 .*$", README, re.MULTILINE)
        assert f"| {100 * results['test_accuracy']:.2f} % |" in row
        assert f"| {results['seconds']:.0f} s |" in row
