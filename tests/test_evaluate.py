"""The evaluation, compared with an independent computation in NumPy."""

import base64
import dataclasses
import hashlib
import json
import re
import shutil

import numpy as np
import pytest
import torch

from model.checkpoint import EVALUATION_FILE, SHIPPED, WEIGHTS_FILE, load, shipped_names
from model.preprocess import preprocess
from tests.test_mlp import numpy_forward
from training.data import DataError, Split
from training.drawings import load_drawings
from training.evaluate import main, measure, reproducing_command, write_evaluation
from training.evaluation_data import (
    EvaluationData,
    HumanDrawings,
    alter_drawings,
    draw_digit_strokes,
    preprocess_pictures,
)
from training.metrics import wilson
from training.synthetic.canvas import STROKE_WIDTH, STROKE_WIDTHS, canvas_picture
from training.synthetic.digits import draw_digits
from training.synthetic.unseen_outliers import draw_unseen_outliers

N = 12


@pytest.fixture(scope="module")
def outliers():
    """Twelve outliers of each kind."""
    return draw_unseen_outliers(N, np.random.default_rng(0))


@pytest.fixture(scope="module")
def data(mnist, digits, outliers):
    """A small version of the evaluation data."""
    images, labels = (torch.from_numpy(array) for array in draw_digits((2, 0)))
    drawn = draw_digit_strokes(N, seed=3)
    people = [canvas_picture(each["strokes"], STROKE_WIDTH) for each in digits]
    return EvaluationData(
        Split(torch.from_numpy(mnist[0].reshape(-1, 784)), torch.from_numpy(mnist[1])),
        Split(images[:100], labels[:100]),
        {kind: preprocess_pictures(pictures) for kind, pictures in outliers.items()},
        preprocess_pictures(canvas_picture(strokes, STROKE_WIDTH) for strokes in drawn),
        alter_drawings(drawn),
        canvas_picture(drawn[0], STROKE_WIDTH),
        HumanDrawings(
            torch.arange(10),
            torch.arange(10) % 3,
            {str(STROKE_WIDTH): preprocess_pictures(people)},
        ),
    )


@pytest.fixture(scope="module")
def loaded(torch_device):
    found = load("mlp-32")
    found.model.to(torch_device)
    return found


@pytest.fixture(scope="module")
def measured(loaded, data):
    return measure(loaded, data, command="python -m training.evaluate")


def predict(loaded, images):
    """Return the probs, (N, 10), and that of "not a digit", (N,), in float64."""
    _, logits, rejection_logit = numpy_forward(loaded.model, np.asarray(images, np.float64))
    powers = np.exp(logits / loaded.config.temperature)
    odds = np.exp(rejection_logit) / np.exp(logits).sum(axis=1)
    return powers / powers.sum(axis=1, keepdims=True), odds / (1 + odds)


@pytest.fixture(scope="module")
def test_predictions(loaded, mnist):
    return predict(loaded, mnist[0].reshape(-1, 784) / 255)


def test_accuracy_confusion_and_rejection_on_the_test_set(measured, test_predictions, mnist):
    probs, not_a_digit = test_predictions
    digit, test = probs.argmax(axis=1), measured["test"]
    assert test["n"] == 500
    assert test["accuracy"]["value"] == pytest.approx(np.mean(digit == mnist[1]), abs=1e-6)
    assert test["refused"] == pytest.approx(np.mean(not_a_digit > 0.5), abs=1e-6)
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (mnist[1], digit), 1)
    assert test["confusion"] == confusion.tolist()
    for each, row, column in zip(test["by_digit"], confusion, confusion.T, strict=True):
        right = confusion[each["digit"], each["digit"]]
        assert each["n"] == row.sum()
        assert each["recall"] == pytest.approx(right / row.sum(), abs=1e-6)
        assert each["precision"] == pytest.approx(right / column.sum(), abs=1e-6)
        assert each["refused"] == pytest.approx(
            np.mean(not_a_digit[mnist[1] == each["digit"]] > 0.5), abs=1e-6
        )


def test_calibration_error_and_bins_on_the_test_set(measured, test_predictions, mnist):
    confidence, right = (
        test_predictions[0].max(axis=1),
        test_predictions[0].argmax(axis=1) == mnist[1],
    )
    test, gap = measured["test"], 0.0
    for each in test["bins"]:
        inside = (confidence > each["low"]) & (confidence <= each["high"])
        assert each["n"] == inside.sum()
        if each["n"]:
            assert each["confidence"] == pytest.approx(confidence[inside].mean(), abs=1e-5)
            assert each["accuracy"] == pytest.approx(right[inside].mean(), abs=1e-5)
            gap += each["n"] / 500 * abs(each["confidence"] - each["accuracy"])
        else:
            assert each["confidence"] is each["accuracy"] is None
    assert test["calibration_error"] == pytest.approx(gap, abs=1e-5)
    assert 0.001 < gap < 0.05


def test_the_mistakes_are_the_most_confident_ones(measured, test_predictions, mnist):
    probs, not_a_digit = test_predictions
    digit, confidence = probs.argmax(axis=1), probs.max(axis=1)
    wrong = np.flatnonzero((digit != mnist[1]) & (not_a_digit <= 0.5))
    wrong = wrong[np.argsort(-confidence[wrong])]
    mistakes = measured["test"]["mistakes"]
    assert len(mistakes) == min(20, len(wrong)) > 3
    assert [each["index"] for each in mistakes] == wrong[:20].tolist()
    for each in mistakes:
        i = each["index"]
        assert (each["label"], each["digit"]) == (mnist[1][i], digit[i])
        assert each["confidence"] == pytest.approx(confidence[i], abs=1e-5)
        assert base64.b64decode(each["pixels"]) == mnist[0][i].tobytes()


def test_rejection_of_each_kind_of_outlier(loaded, measured, outliers, test_predictions):
    refusal = measured["refusal"]
    assert refusal["threshold"] == loaded.config.threshold
    for kind, pictures in outliers.items():
        prepared = [preprocess(picture) for picture in pictures]
        _, not_a_digit = predict(loaded, [p.image.reshape(-1) for p in prepared])
        not_a_digit[[p.blank for p in prepared]] = 1  # a blank input is not a digit
        share = pytest.approx(np.mean(not_a_digit > 0.5), abs=1e-6)
        assert refusal["kinds"][kind] == {"n": N, "refused": share}
        above = np.mean(not_a_digit[:, None] > test_predictions[1])
        assert refusal["auroc"][kind] == pytest.approx(above, abs=1e-4)
        for row in refusal["curve"]:
            assert row[kind] == pytest.approx(np.mean(not_a_digit > row["threshold"]), abs=1e-6)
    for row in refusal["curve"]:
        assert row["test"] == pytest.approx(
            np.mean(test_predictions[1] > row["threshold"]), abs=1e-6
        )
    assert 0 < refusal["kinds"]["letters"]["refused"] < 1 == refusal["kinds"]["dots"]["refused"]


def test_a_network_that_does_not_reject_has_no_rejection_figures(loaded, data):
    accepting = dataclasses.replace(
        loaded, config=dataclasses.replace(loaded.config, threshold=1.0)
    )
    figures = measure(accepting, dataclasses.replace(data, drawings=None), command="")
    assert figures["refusal"] is figures["drawings"] is None
    assert figures["test"]["refused"] == 0


def test_alterations_and_drawings(measured, loaded, data):
    def answer(pictures):
        probs, not_a_digit = predict(loaded, pictures.images.numpy())
        return np.where((not_a_digit > 0.5) | pictures.blank.numpy(), -1, probs.argmax(axis=1))

    unaltered = answer(data.unaltered)
    assert measured["changes"]["n"] == N
    assert measured["changes"]["changed"] == {
        name: pytest.approx(np.mean(answer(pictures) != unaltered), abs=1e-6)
        for name, pictures in data.altered.items()
    }
    assert max(measured["changes"]["changed"].values()) > 0
    drawings = measured["drawings"]
    assert (drawings["n"], drawings["writers"]) == (10, 3)
    width = str(STROKE_WIDTH)
    drawn, people = drawings["pens"][width], data.drawings.by_stroke_width[width]
    right = answer(people) == np.arange(10)
    assert drawn["answered_right"] == {"value": pytest.approx(right.mean())}
    read_right = predict(loaded, people.images.numpy())[0].argmax(axis=1) == np.arange(10)
    assert drawn["accuracy"] == {"value": pytest.approx(read_right.mean())}
    assert drawn["writers"] == [
        {"n": len(read_right[i::3]), "right": int(read_right[i::3].sum())} for i in range(3)
    ]


def test_size_and_speed(measured):
    assert measured["size"]["parameters"] == 784 * 32 + 32 + 32 * 11 + 11
    assert measured["size"]["multiply_adds"] == 784 * 32 + 32 * 11
    assert measured["size"]["bytes"] == (SHIPPED / "mlp-32" / WEIGHTS_FILE).stat().st_size
    speed = measured["speed"]
    assert (speed["device"], speed["threads"]) == ("cpu", 1)
    assert 0 < speed["forward_ms"] < speed["read_ms"]
    assert speed["forward_10000_s"] > 0


@pytest.mark.parametrize("name", shipped_names())
def test_the_shipped_figures_are_those_of_the_shipped_weights(name, mnist):
    folder = SHIPPED / name
    text = (folder / EVALUATION_FILE).read_text(encoding="utf-8")
    figures = json.loads(text)
    assert not re.search(r'[ "]/', text)  # no absolute path
    digest = hashlib.sha256((folder / WEIGHTS_FILE).read_bytes()).hexdigest()
    assert (figures["model"], figures["weights_sha256"]) == (name, digest)
    test, refusal = figures["test"], figures["refusal"]
    confusion = np.array(test["confusion"])
    assert confusion.sum() == test["n"] == sum(each["n"] for each in test["bins"]) == 10_000
    assert test["accuracy"] == wilson(int(np.trace(confusion)), 10_000)
    for each in test["mistakes"]:
        if each["index"] < 500:
            assert base64.b64decode(each["pixels"]) == mnist[0][each["index"]].tobytes()
    [as_shipped] = [r for r in refusal["curve"] if r["threshold"] == refusal["threshold"]]
    assert as_shipped["test"] == test["refused"]
    assert all(as_shipped[kind] == each["refused"] for kind, each in refusal["kinds"].items())
    assert {each["n"] for each in refusal["kinds"].values()} == {1_000}
    assert list(figures["drawings"]["pens"]) == [str(width) for width in STROKE_WIDTHS]


def leaves(value, path=()):
    """Return each number and string of nested dicts and lists by its path."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for key, each in items for k, v in leaves(each, (*path, key)).items()}
    return {path: value}


def test_the_command_writes_evaluation_json(mnist_dir, digits, tmp_path, capsys):
    folder, drawings = tmp_path / "net", tmp_path / "drawings.jsonl"
    shutil.copytree(SHIPPED / "mlp-32", folder)
    (folder / EVALUATION_FILE).unlink()
    drawings.write_text(
        "\n".join(json.dumps({"writer": 1, **each}) for each in digits), encoding="utf-8"
    )
    arguments = ["--data-dir", mnist_dir, "--samples", "4", "--drawings", str(drawings)]
    assert main([str(folder), *arguments]) == 0
    said = capsys.readouterr()
    assert "accuracy 97.20%, calibration error 0.51%, rejected 0.50%" in said.out
    assert said.err == f"saved to {folder / EVALUATION_FILE}\n"
    figures, shipped = load(folder).evaluation, load("mlp-32").evaluation
    assert figures["command"] == (
        "python -m training.evaluate net --samples 4 --drawings drawings.jsonl"
    )
    measured, expected = leaves(figures["test"]), leaves(shipped["test"])
    assert measured.keys() == expected.keys()
    for path, value in expected.items():  # processors round products differently
        near = pytest.approx(value, abs=5e-6) if isinstance(value, float) else value
        assert measured[path] == near, path
    assert figures.keys() == shipped.keys()
    assert figures["drawings"]["n"] == 10


def test_the_recorded_command_has_no_absolute_path(tmp_path):
    command = reproducing_command(
        str(tmp_path / "a b"), samples=1_000, drawings=tmp_path / "c.jsonl"
    )
    assert command == "python -m training.evaluate 'a b' --drawings c.jsonl"
    assert reproducing_command("checkpoints/x", samples=9, drawings=None).endswith(
        "checkpoints/x --samples 9"
    )


def test_nothing_is_written_to_the_cache_of_the_hub(loaded, data, tmp_path):
    shutil.copy(SHIPPED / "mlp-32" / WEIGHTS_FILE, tmp_path)
    cached = dataclasses.replace(loaded, folder=tmp_path, revision="c" * 40)
    write_evaluation("someone/net", cached, dataclasses.replace(data, drawings=None), samples=4)
    assert [path.name for path in tmp_path.iterdir()] == [WEIGHTS_FILE]


GOOD = '{"writer": 1, "digit": 9, "strokes": [[[0, 0], [5, 9]]]}\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (GOOD + "[", 'line 2: expected {"writer": 1, "digit": 9'),
        (GOOD + "7", "line 2: expected"),
        ('{"writer": 1, "digit": 9}', "line 1: expected"),
        ('{"writer": [], "digit": 9, "strokes": []}', "line 1: expected a writer's"),
        ('{"writer": 1, "digit": 10, "strokes": [[[0, 0]]]}', "line 1: expected a digit in 0..9"),
        ('{"writer": 1, "digit": 1, "strokes": []}', "line 1: expected at least one stroke"),
        ('{"writer": 1, "digit": 1, "strokes": [[[0, "x"]]]}', "line 1: A point is not two"),
    ],
)
def test_an_invalid_line_of_drawings_is_named(tmp_path, text, message):
    path = tmp_path / "drawings.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load_drawings(path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "error: There is no model nowhere"),
        (["--drawings", "nowhere.jsonl"], "error: nowhere.jsonl cannot be read"),
        (["--data-dir", "/proc/nowhere"], "error: MNIST is not in /proc/nowhere/MNIST/raw"),
    ],
)
def test_an_error_is_one_line(arguments, message, capsys):
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert said.err.startswith(message)
    assert len(said.err.splitlines()) == 1
    assert said.out == ""


def test_samples_must_be_above_0(capsys):
    with pytest.raises(SystemExit):
        main(["--samples", "0"])
    assert "--samples must be above 0" in capsys.readouterr().err
