"""Push, pull and serve against a Hub on loopback, with the real client in real processes."""

import shutil

import pytest
from gradio_client import Client, handle_file
from huggingface_hub import ModelCard
from PIL import Image

from model import Reader
from model.checkpoint import CONFIG_FILE, WEIGHTS_FILE, WELCOME
from tests import loopback_hub
from tests.conftest import run, serve

REPO = f"{loopback_hub.ACCOUNT}/digits"
TRAIN = ["-m", "training", "--epochs", "1", "--pens", "0", "--outliers", "0", "--quiet"]
TRAIN += ["--samples", "20"]


def test_train_push_delete_serve_read(hub, mnist_dir, mnist, tmp_path):
    env = hub.environment(str(tmp_path / "home"))
    out = tmp_path / "net"
    done = run(*TRAIN, "--data-dir", mnist_dir, "--out", str(out), "--push", REPO, env=env)
    assert done.returncode == 0, done.stderr
    assert f"pushed: {hub.url}/{REPO}/commit/" in done.stderr
    [(commit, files)] = hub.repos[REPO]  # one commit
    pushed = {each.relative_to(out).as_posix() for each in out.rglob("*") if each.is_file()}
    assert files.keys() == pushed
    assert {WEIGHTS_FILE, CONFIG_FILE, *WELCOME, "plots/confusion.png"} < pushed
    Image.fromarray(mnist[0][0]).save(tmp_path / "digit.png")
    trained = Reader.load(out)
    expected, measured = trained.read(tmp_path / "digit.png"), trained.evaluation
    shutil.rmtree(out)
    with serve("--model", f"{REPO}@{commit}", env=env) as url:
        client = Client(url, verbose=False)
        answer = client.predict(handle_file(tmp_path / "digit.png"), api_name="/predict")
        known = {each["name"]: each for each in client.predict(api_name="/models")}
    assert answer["digit"] == expected.digit
    assert answer["probabilities"] == expected.probabilities.tolist()
    assert known[answer["model"]]["revision"] == commit
    card = ModelCard(files["README.md"].decode())
    assert card.data.eval_results[0].metric_value == measured["test"]["accuracy"]["value"]
    assert card.data.license == "apache-2.0"


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (None, "There is no Hugging Face token: log in with `hf auth login`, or set HF_TOKEN."),
        ("hf_wrong", "The Hub answered 401: the token in HF_TOKEN is not valid: correct it, or"),
    ],
)
def test_a_missing_or_wrong_token_is_found_before_training(hub, tmp_path, token, message):
    env = hub.environment(str(tmp_path / "home"), token)
    nowhere = str(tmp_path / "no-data-either")
    done = run(*TRAIN, "--data-dir", nowhere, "--push", REPO, env=env)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert hub.repos == {}


def test_a_token_without_write_access_leaves_nothing(hub, mnist_dir, tmp_path):
    env = hub.environment(str(tmp_path / "home"), loopback_hub.READ_ONLY_TOKEN)
    out = tmp_path / "net"
    done = run(*TRAIN, "--data-dir", mnist_dir, "--out", str(out), "--push", REPO, env=env)
    assert done.returncode == 1
    assert "The Hub answered 403: the token may not write there" in done.stderr
    assert hub.repos == {}
    assert Reader.load(out).results["val_accuracy"] > 0.9  # the weights are not lost
