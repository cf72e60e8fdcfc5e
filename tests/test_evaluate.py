"""What evaluate measures, against NumPy's own computation of it."""

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
from training import strangers
from training.calibrate import calibration_error, chance_error, reliability
from training.canvas import PEN, PENS, canvas_picture, load_drawings
from training.data import DataError, Split
from training.evaluate import auroc, command_of, evaluate, main, write
from training.intervals import wilson
from training.material import Material, People, changed, framed, synthetic_drawings
from training.pens import draw_pens

N = 12


@pytest.fixture(scope="module")
def shapes():
    """Twelve pictures of each kind that is no digit."""
    return strangers.pictures(N, np.random.default_rng(0))


@pytest.fixture(scope="module")
def material(mnist, digits, shapes):
    """Little of everything that a network is measured on."""
    images, labels = (torch.from_numpy(array) for array in draw_pens((2, 0)))
    written = synthetic_drawings(N, seed=3)
    people = [canvas_picture(each["strokes"], PEN) for each in digits]
    return Material(
        Split(torch.from_numpy(mnist[0].reshape(-1, 784)), torch.from_numpy(mnist[1])),
        Split(images[:100], labels[:100]),
        {kind: framed(many) for kind, many in shapes.items()},
        framed(canvas_picture(strokes, PEN) for strokes in written),
        changed(written),
        canvas_picture(written[0], PEN),
        People(torch.arange(10), torch.arange(10) % 3, {str(PEN): framed(people)}),
    )


@pytest.fixture(scope="module")
def loaded(torch_device):
    found = load("mlp-32")
    found.model.to(torch_device)
    return found


@pytest.fixture(scope="module")
def measured(loaded, material):
    return evaluate(loaded, material, command="python -m training.evaluate")


def ask(loaded, images):
    """Probabilities, (N, 10), and that of no digit, (N,), by NumPy in float64."""
    _, logits, doubts = numpy_forward(loaded.model, np.asarray(images, np.float64))
    powers = np.exp(logits / loaded.config.temperature)
    no_digit = np.exp(doubts) / (np.exp(doubts) + np.exp(logits).sum(axis=1))
    return powers / powers.sum(axis=1, keepdims=True), no_digit


@pytest.fixture(scope="module")
def test_answers(loaded, mnist):
    return ask(loaded, mnist[0].reshape(-1, 784) / 255)


def test_the_test_sets_figures(measured, test_answers, mnist):
    probabilities, no_digit = test_answers
    digit, test = probabilities.argmax(axis=1), measured["test"]
    assert test["n"] == 500
    assert test["accuracy"]["value"] == pytest.approx(np.mean(digit == mnist[1]), abs=1e-6)
    assert test["refused"] == pytest.approx(np.mean(no_digit > 0.5), abs=1e-6)
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (mnist[1], digit), 1)
    assert test["confusion"] == confusion.tolist()
    for each, row, column in zip(test["by_digit"], confusion, confusion.T, strict=True):
        right = confusion[each["digit"], each["digit"]]
        assert each["n"] == row.sum()
        assert each["recall"] == pytest.approx(right / row.sum(), abs=1e-6)
        assert each["precision"] == pytest.approx(right / column.sum(), abs=1e-6)
        assert each["refused"] == pytest.approx(
            np.mean(no_digit[mnist[1] == each["digit"]] > 0.5), abs=1e-6
        )


def test_the_calibration_error_is_the_bins_mean_gap(measured, test_answers, mnist):
    confidence, right = test_answers[0].max(axis=1), test_answers[0].argmax(axis=1) == mnist[1]
    test, gap = measured["test"], 0.0
    for each in test["bins"]:
        there = (confidence > each["low"]) & (confidence <= each["high"])
        assert each["n"] == there.sum()
        if each["n"]:
            assert each["confidence"] == pytest.approx(confidence[there].mean(), abs=1e-5)
            assert each["accuracy"] == pytest.approx(right[there].mean(), abs=1e-5)
            gap += each["n"] / 500 * abs(each["confidence"] - each["accuracy"])
        else:
            assert each["confidence"] is each["accuracy"] is None
    assert test["calibration_error"] == pytest.approx(gap, abs=1e-5)
    assert 0.001 < gap < 0.05


def test_the_mistakes_are_the_surest(measured, test_answers, mnist):
    probabilities, no_digit = test_answers
    digit, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero((digit != mnist[1]) & (no_digit <= 0.5))
    wrong = wrong[np.argsort(-confidence[wrong])]
    mistakes = measured["test"]["mistakes"]
    assert len(mistakes) == min(20, len(wrong)) > 3
    assert [each["index"] for each in mistakes] == wrong[:20].tolist()
    for each in mistakes:
        i = each["index"]
        assert (each["label"], each["digit"]) == (mnist[1][i], digit[i])
        assert each["confidence"] == pytest.approx(confidence[i], abs=1e-5)
        assert base64.b64decode(each["pixels"]) == mnist[0][i].tobytes()


def test_what_is_refused(loaded, measured, shapes, test_answers):
    refusal = measured["refusal"]
    assert refusal["threshold"] == loaded.config.threshold
    for kind, pictures in shapes.items():
        prepared = [preprocess(picture) for picture in pictures]
        _, no_digit = ask(loaded, [p.image.reshape(-1) for p in prepared])
        no_digit[[p.blank for p in prepared]] = 1  # no ink is no digit
        share = pytest.approx(np.mean(no_digit > 0.5), abs=1e-6)
        assert refusal["kinds"][kind] == {"n": N, "refused": share}
        above = np.mean(no_digit[:, None] > test_answers[1])
        assert refusal["auroc"][kind] == pytest.approx(above, abs=1e-4)
        for row in refusal["curve"]:
            assert row[kind] == pytest.approx(np.mean(no_digit > row["threshold"]), abs=1e-6)
    for row in refusal["curve"]:
        assert row["test"] == pytest.approx(np.mean(test_answers[1] > row["threshold"]), abs=1e-6)
    assert 0 < refusal["kinds"]["letters"]["refused"] < 1 == refusal["kinds"]["dots"]["refused"]


def test_a_network_that_does_not_refuse(loaded, material):
    trusting = dataclasses.replace(loaded, config=dataclasses.replace(loaded.config, threshold=1.0))
    figures = evaluate(trusting, dataclasses.replace(material, people=None), command="")
    assert figures["refusal"] is figures["drawings"] is None
    assert figures["test"]["refused"] == 0


def test_changes_and_drawings(measured, loaded, material):
    def said(pictures):
        probabilities, no_digit = ask(loaded, pictures.images.numpy())
        return np.where((no_digit > 0.5) | pictures.blank.numpy(), -1, probabilities.argmax(axis=1))

    plain = said(material.plain)
    assert measured["changes"]["n"] == N
    assert measured["changes"]["changed"] == {
        name: pytest.approx(np.mean(said(pictures) != plain), abs=1e-6)
        for name, pictures in material.changes.items()
    }
    assert max(measured["changes"]["changed"].values()) > 0
    drawings = measured["drawings"]
    assert (drawings["n"], drawings["writers"]) == (10, 3)
    drawn, people = drawings["pens"][str(PEN)], material.people.pens[str(PEN)]
    right = said(people) == np.arange(10)
    assert drawn["answered_right"] == {"value": pytest.approx(right.mean())}
    read = ask(loaded, people.images.numpy())[0].argmax(axis=1) == np.arange(10)
    assert drawn["accuracy"] == {"value": pytest.approx(read.mean())}
    assert drawn["writers"] == [
        {"n": len(read[i::3]), "right": int(read[i::3].sum())} for i in range(3)
    ]


def test_what_chance_alone_would_show():
    """The mean of the error over labels drawn from the probabilities themselves."""
    rng = np.random.default_rng(0)
    probabilities = torch.from_numpy(rng.dirichlet(np.full(10, 0.3), 400))
    errors = []
    for _ in range(300):
        labels = torch.multinomial(probabilities, 1).squeeze(1)
        errors.append(calibration_error(probabilities, labels))
    assert chance_error(probabilities) == pytest.approx(np.mean(errors), rel=0.05)


def test_size_and_speed(measured):
    assert measured["size"]["parameters"] == 784 * 32 + 32 + 32 * 11 + 11
    assert measured["size"]["multiply_adds"] == 784 * 32 + 32 * 11
    assert measured["size"]["bytes"] == (SHIPPED / "mlp-32" / WEIGHTS_FILE).stat().st_size
    speed = measured["speed"]
    assert (speed["device"], speed["threads"]) == ("cpu", 1)
    assert 0 < speed["forward_ms"] < speed["read_ms"]
    assert speed["forward_10000_s"] > 0


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611),
     (1, 29, 0.0061, 0.1718)],
)  # fmt: skip
def test_wilson_is_as_published(k, n, low, high):
    found = wilson(k, n)
    assert found["value"] == pytest.approx(k / n, abs=1e-6)
    assert (found["low"], found["high"]) == (
        pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5)
    )  # fmt: skip
    assert wilson(n, n)["high"] == 1


def test_auroc_counts_pairs():
    rng = np.random.default_rng(0)
    high, low = rng.integers(3, 9, 40), rng.integers(0, 7, 70)  # with ties
    pairs = (high[:, None] > low).mean() + (high[:, None] == low).mean() / 2
    assert auroc(high, low) == pytest.approx(pairs)


def test_confidence_on_a_bins_edge_lies_in_the_lower_one():
    bins = reliability(torch.tensor([[0.25, 0.75], [1.0, 0.0]]), torch.tensor([1, 1]), n_bins=4)
    assert [each.n for each in bins] == [0, 0, 1, 1]
    assert (bins[3].confidence, bins[3].accuracy) == (1, 0)


@pytest.mark.parametrize("name", shipped_names())
def test_what_ships_was_measured_on_what_ships(name, mnist):
    folder = SHIPPED / name
    text = (folder / EVALUATION_FILE).read_text(encoding="utf-8")
    figures = json.loads(text)
    assert not re.search(r'[ "]/', text)  # no path of a machine
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
    assert list(figures["drawings"]["pens"]) == [str(pen) for pen in PENS]


def leaves(value, path=()):
    """Every number and string of nested dicts and lists, by its path."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for key, each in items for k, v in leaves(each, (*path, key)).items()}
    return {path: value}


def test_the_command_writes_it_beside_the_weights(mnist_dir, digits, tmp_path, capsys):
    folder, drawings = tmp_path / "net", tmp_path / "drawings.jsonl"
    shutil.copytree(SHIPPED / "mlp-32", folder)
    (folder / EVALUATION_FILE).unlink()
    drawings.write_text(
        "\n".join(json.dumps({"writer": 1, **each}) for each in digits), encoding="utf-8"
    )
    arguments = ["--data-dir", mnist_dir, "--samples", "4", "--drawings", str(drawings)]
    assert main([str(folder), *arguments]) == 0
    said = capsys.readouterr()
    assert "accuracy 97.80%, calibration error 0.36%, refused 0.50%" in said.out
    assert said.err == f"saved to {folder / EVALUATION_FILE}\n"
    figures, shipped = load(folder).evaluation, load("mlp-32").evaluation
    assert figures["command"] == (
        "python -m training.evaluate net --samples 4 --drawings drawings.jsonl"
    )
    measured, expected = leaves(figures["test"]), leaves(shipped["test"])
    assert measured.keys() == expected.keys()
    for path, value in expected.items():  # another processor rounds products otherwise
        near = pytest.approx(value, abs=5e-6) if isinstance(value, float) else value
        assert measured[path] == near, path
    assert figures.keys() == shipped.keys()
    assert figures["drawings"]["n"] == 10


def test_a_commands_record_has_no_absolute_path(tmp_path):
    command = command_of(str(tmp_path / "a b"), samples=1_000, drawings=tmp_path / "c.jsonl")
    assert command == "python -m training.evaluate 'a b' --drawings c.jsonl"
    assert command_of("checkpoints/x", samples=9, drawings=None).endswith(
        "checkpoints/x --samples 9"
    )


def test_the_hubs_cache_is_not_written_to(loaded, material, tmp_path):
    shutil.copy(SHIPPED / "mlp-32" / WEIGHTS_FILE, tmp_path)
    cached = dataclasses.replace(loaded, folder=tmp_path, revision="c" * 40)
    write("someone/net", cached, dataclasses.replace(material, people=None), samples=4)
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
        ('{"writer": 1, "digit": 1, "strokes": []}', "line 1: there are no strokes"),
        ('{"writer": 1, "digit": 1, "strokes": [[[0, "x"]]]}', "line 1: A point is not two"),
    ],
)
def test_drawings_that_are_none_are_named(tmp_path, text, message):
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
def test_what_is_wrong_is_said_in_one_line(arguments, message, capsys):
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert said.err.startswith(message)
    assert len(said.err.splitlines()) == 1
    assert said.out == ""


def test_samples_must_be_a_number_above_0(capsys):
    with pytest.raises(SystemExit):
        main(["--samples", "0"])
    assert "--samples must be above 0" in capsys.readouterr().err
