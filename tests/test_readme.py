"""Tests of the documentation: its code runs, and its links and figures are correct."""

import base64
import json
import os
import re
import shlex
import subprocess
import sys
from ast import literal_eval
from pathlib import Path

import numpy as np
import pytest

from app import parse
from tests.conftest import DATA, ROOT, ask, run, serve
from tests.loopback_hub import ACCOUNT, TOKEN

README = (ROOT / "README.md").read_text(encoding="utf-8")
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
SERVING = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
DOCUMENTS = [
    *ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "benchmarks" / "README.md",
    ROOT / "training" / "RESULTS.md", ROOT / "lesson" / "README.md",
]  # fmt: skip


ENDPOINTS = ["predict", "predict_strokes", "explain", "explain_strokes", "predict_batch", "models"]


def endpoints_in(code):
    """Return the endpoints that code calls, in order."""
    return [name for name in re.findall(r"/(\w+)", code) if name in ENDPOINTS]


def shell(command):
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done


def blocks(language, text=README):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 160


def test_the_http_example_reads_a_seven(app_url):
    [code] = [block for block in blocks("bash") if "curl" in block]
    answer = json.loads(shell(code.replace("http://127.0.0.1:7860", app_url)).stdout)
    assert answer["data"][0]["digit"] == 7


def test_the_python_example_reads_a_seven():
    [code] = blocks("python")
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("digit 7 0.")
    assert done.stdout.endswith("\n7\n(10, 1024)\n")


def test_the_gradio_client_example_calls_each_endpoint(app_url, mnist):
    [code] = blocks("python", API)
    assert endpoints_in(code) == ENDPOINTS
    done = run("-c", code.replace("http://127.0.0.1:7860", app_url))
    assert done.returncode == 0, done.stderr
    predicted, drawn, logits, strokes, digits, models = done.stdout.splitlines()[-6:]
    assert literal_eval(predicted)["digit"] == literal_eval(drawn)["digit"] == 7
    assert literal_eval(drawn)["model"] == "mlp-32"
    assert np.argmax(literal_eval(logits)) == 7
    assert np.shape(literal_eval(strokes)) == (10, 1)
    assert literal_eval(digits) == mnist[1][:10].tolist()
    assert len(literal_eval(models)) == 3


def test_the_curl_example_calls_each_endpoint(app_url, mnist):
    [code] = [block for block in blocks("bash", API) if "$app/run" in block]
    assert endpoints_in(code) == ENDPOINTS
    done = shell(code.replace("http://127.0.0.1:7860", app_url))
    answers, text = [], done.stdout
    while text:
        answer, end = json.JSONDecoder().raw_decode(text)
        answers.append(answer["data"][0])
        text = text[end:]
    predicted, drawn, explained, strokes, batch, models = answers
    assert predicted["digit"] == drawn["digit"] == strokes["digit"] == 7
    assert drawn["model"] == "mlp-32"
    assert np.argmax(explained["logits"]) == 7
    assert batch["digits"][:10] == mnist[1][:10].tolist()
    assert len(models) == 3


def test_the_curl_example_of_the_queue_fetches_the_result(app_url):
    [code] = [block for block in blocks("bash", API) if "gradio_api/call/v2/" in block]
    command, _, stream = code.replace("http://127.0.0.1:7860", app_url).partition("\ncurl ")
    event = json.loads(shell(command).stdout)["event_id"]
    answer = shell(f"curl {stream}".replace("EVENT_ID", event)).stdout
    assert re.search(r'"digit": ?7\b', answer), answer


def test_the_javascript_example_calls_each_endpoint(app_url, tmp_path):
    [code] = blocks("js", API)
    assert endpoints_in(code) == ENDPOINTS
    packages = tmp_path / "node_modules"
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--prefix", tmp_path, "@gradio/client@2"],
        capture_output=True, encoding="utf-8", timeout=120,
    )  # fmt: skip
    assert packages.is_dir(), done.stderr
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    script = tmp_path / "calls.mjs"
    script.write_text(code.replace("http://127.0.0.1:7860", app_url), encoding="utf-8")
    done = subprocess.run(
        ["node", str(script)], cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^  digit: 7,$", done.stdout, re.MULTILINE)) == 2
    assert "model: 'mlp-32'" in done.stdout
    assert re.search(r"7, 2, 1, 0, 4,\s+1, 4, 9, 5, 9", done.stdout), done.stdout
    assert done.stdout.count("hidden_sizes") == 3


def test_the_commands_from_training_to_a_space_run(hub, mnist_dir, tmp_path):
    [block] = [each for each in blocks("bash") if "--space" in each]
    env = hub.environment(str(tmp_path / "home"), token=None)
    quick = [
        "--epochs",
        "1",
        "--synthetic-digits",
        "0",
        "--outliers",
        "0",
        "--samples",
        "20",
        "--quiet",
    ]
    seven = base64.b64encode((DATA / "seven.png").read_bytes()).decode()
    served = []
    for line in block.replace("OWNER", ACCOUNT).splitlines():
        command = shlex.split(line.replace("checkpoints/", f"{tmp_path}/"), comments=True)
        match command:
            case ["pip", "install", "-r", name]:
                assert (ROOT / name).is_file()
            case ["hf", *rest]:
                hf = Path(sys.executable).with_name("hf")
                login = [hf, *rest, "--token", TOKEN]  # otherwise the command prompts for it
                subprocess.run(login, env=os.environ | env, check=True, capture_output=True)
            case ["python", "app.py", *rest]:
                with serve(*rest, env=env) as url:
                    served.append(ask(url, "models")[-1]["name"])
                    picture = {"url": f"data:image/png;base64,{seven}"}
                    assert ask(url, "predict", picture, served[-1])["digit"] == 7
            case ["python", "-m", "training", *rest]:
                done = run("-m", "training", *rest, "--data-dir", mnist_dir, *quick)
                assert done.returncode == 0, done.stderr
            case ["python", *rest]:
                done = run(*rest, env=env)
                assert done.returncode == 0, done.stderr
    assert served == ["mlp-32-yours", f"{ACCOUNT}/mine"]
    [(commit, _)] = hub.repos[f"{ACCOUNT}/mine"]
    assert hub.tags[f"{ACCOUNT}/mine"] == {"v1": commit}
    assert hub.hardware[f"spaces/{ACCOUNT}/draw"] == "zero-a10g"
    assert done.stdout.splitlines()[-1] == f"running: {hub.url}/spaces/{ACCOUNT}/draw"


def test_every_server_flag_is_documented(capsys):
    with pytest.raises(SystemExit):
        parse(["--help"])
    for flag in re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE):
        assert re.search(rf"{flag}\b", README + SERVING), flag


def test_paths_in_the_documentation_exist():
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        paths = re.findall(r"`((?:[\w.-]+/)+(?:[\w-]+\.\w+)?)`", text)
        links = re.findall(r"\]\((?!http|#)([^)#]+)", text)
        for path in links:
            assert (document.parent / path).exists(), f"{document.name}: {path}"
        for path in paths:
            known = [*ROOT.glob(path.replace("NAME", "*"))] or path.startswith(
                ("data/", "plots/", "checkpoints/")
            )
            assert known or document.name == "CHANGELOG.md", f"{document.name}: {path}"


def test_links_to_sections_have_a_target():
    for document in DOCUMENTS:
        for path, section in re.findall(
            r"\]\((?!http)([^)#]*)#([^)]+)\)", document.read_text(encoding="utf-8")
        ):
            target = document.parent / path if path else document
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings]
            assert section in slugs, f"{document.name}: {path}#{section}"


def test_the_readmes_figures_are_those_of_the_checkpoints():
    for name in ("logistic", "mlp-32", "mlp-1024"):
        folder = ROOT / "model" / "weights" / name
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        [row] = re.findall(rf"^\| `{name}` \| 784 .*$", README, re.MULTILINE)
        evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
        test, pens = evaluation["test"], evaluation["drawings"]["pens"].values()
        expected = [
            f"{100 * test['accuracy']['value']:.2f} %",
            f"{100 * test['refused']:.2f} %",
            " / ".join(f"{100 * pen['accuracy']['value']:.1f}" for pen in pens) + " %",
            " / ".join(f"{100 * pen['refused']:.1f}" for pen in pens) + " %",
        ]
        assert row.split(" | ")[2:6] == expected
        assert f"| {results['seconds']:,.0f} s |" in row
