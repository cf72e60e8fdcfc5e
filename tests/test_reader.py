"""Tests of Reader: accuracy, verdicts, and agreement between its methods."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model import PictureError, Reader
from model.drawing import draw
from model.explain import contributions
from tests.test_mlp import numpy_forward

NAMES = ["logistic", "mlp-32", "mlp-1024"]
NOT_DIGITS = {
    "dot": [[[5, 5]]],
    "dash": [[[0, 0], [50, 2], [100, 0]]],
    "cross": [[[0, 0], [100, 100]], [[100, 0], [0, 100]]],
    "A": [[[0, 100], [40, 0], [80, 100]], [[15, 60], [65, 60]]],
    "H": [[[0, 0], [0, 100]], [[70, 0], [70, 100]], [[0, 50], [70, 50]]],
    "W": [[[0, 0], [25, 100], [50, 30], [75, 100], [100, 0]]],
    "arrow": [[[0, 50], [100, 50]], [[70, 20], [100, 50], [70, 80]]],
    "scribble": [[[0, 0], [90, 30], [10, 60], [80, 90], [50, 0], [20, 80], [95, 60], [0, 40]]],
}


@pytest.fixture(scope="module", params=NAMES)
def reader(request, torch_device):
    return Reader.load(request.param, device=str(torch_device))


def test_drawn_digits_are_read(reader, digits):
    readings = [reader.read_strokes(each["strokes"]) for each in digits]
    assert [r.digit for r in readings] == [each["digit"] for each in digits]
    assert {r.verdict for r in readings} == {"digit"}
    assert {r.model for r in readings} == {reader.name}
    assert min(r.confidence for r in readings) > 0.5


def test_accuracy_on_mnist_is_that_of_the_card(reader, mnist):
    images, labels = mnist
    right = np.mean([r.digit for r in reader.read_batch(images)] == labels)
    expected = reader.evaluation["test"]["accuracy"]["value"]
    assert right == pytest.approx(expected, abs=0.035)  # 3 standard errors of 500 images


def test_the_numbers_of_a_reading_agree_with_numpy(reader, mnist):
    reading = reader.read(mnist[0][0])
    hidden, logits, rejection = numpy_forward(reader.model, reading.input.reshape(1, -1))
    np.testing.assert_allclose(reading.logits, logits[0], atol=1e-4)
    for layer, (before, after) in zip(reading.layers, hidden, strict=True):
        np.testing.assert_allclose(layer.pre_activations, before[0], atol=1e-4)
        np.testing.assert_allclose(layer.activations, after[0], atol=1e-4)
    eleven = np.append(logits[0], rejection[0])
    not_a_digit = 1 / np.exp(eleven - rejection[0]).sum()
    assert reading.not_a_digit == pytest.approx(not_a_digit, rel=1e-3)
    logits = logits / reader.temperature
    probabilities = np.exp(logits[0] - logits[0].max())
    probabilities /= probabilities.sum()
    np.testing.assert_allclose(reading.probabilities, probabilities, atol=1e-5)
    assert reading.digit == probabilities.argmax()
    assert reading.confidence == reading.probabilities.max()
    assert reading.not_a_digit_logit == pytest.approx(rejection[0], abs=1e-4)


def test_inputs_above_the_threshold_are_rejected(reader, mnist):
    reading = reader.read(mnist[0][0])
    assert reading.verdict == "digit"
    reader.threshold, before = reading.not_a_digit * 0.99, reader.threshold
    refused = reader.read(mnist[0][0])
    reader.threshold = before
    assert (refused.verdict, refused.digit, refused.confidence) == ("not_a_digit", None, 0)
    assert np.array_equal(refused.probabilities, reading.probabilities)


@pytest.mark.parametrize("strokes", NOT_DIGITS.values(), ids=NOT_DIGITS)
@pytest.mark.parametrize("name", NAMES[1:])
def test_drawings_that_are_not_digits_are_rejected(name, strokes):
    reading = Reader.load(name).read_strokes(strokes)
    assert reading.verdict == "not_a_digit"
    assert reading.not_a_digit > 0.5


def test_contributions_and_bias_sum_to_the_logits(reader, mnist):
    for image in mnist[0][:20]:
        reading = reader.read(image)
        terms = contributions(reader.model, reading)
        n_terms = len(reading.layers[-1].activations) if reading.layers else 784
        assert terms.contributions.shape == (10, n_terms)
        total = terms.contributions.sum(axis=1) + terms.bias
        np.testing.assert_allclose(total, reading.logits, atol=1e-4)
        total = terms.not_a_digit.sum() + terms.not_a_digit_bias
        assert total == pytest.approx(reading.not_a_digit_logit, abs=1e-4)


def test_strokes_pictures_and_files_give_the_same_reading(reader, digits, tmp_path):
    strokes = digits[7]["strokes"]
    by_strokes, by_picture = reader.read_strokes(strokes), reader.read(draw(strokes))
    assert np.array_equal(by_strokes.logits, by_picture.logits)
    picture = Image.fromarray((255 * draw(strokes)).round().astype(np.uint8))
    picture.save(tmp_path / "seven.png")
    by_file, by_image = reader.read(tmp_path / "seven.png"), reader.read(picture)
    assert np.array_equal(by_file.logits, by_image.logits)
    assert by_file.digit == 7


def test_read_batch_gives_the_readings_of_each_picture(reader, mnist):
    images = mnist[0][:30]
    for together, alone in zip(reader.read_batch(images), map(reader.read, images), strict=True):
        np.testing.assert_allclose(together.logits, alone.logits, atol=1e-4)
        assert together.digit == alone.digit
    assert reader.read_batch([]) == []


@pytest.mark.parametrize(
    "picture",
    [Image.new("L", (28, 28)), np.zeros((28, 28), np.uint8), "seven.png", b"PNG", Path("x.png")],
    ids=["image", "array", "name", "bytes", "path"],
)
def test_read_batch_refuses_a_single_picture(picture):
    with pytest.raises(PictureError, match="use read for one"):
        Reader.load("mlp-32").read_batch(picture)


def test_read_many_gives_the_readings_of_each_picture(reader, mnist):
    rng = np.random.default_rng(0)
    noise, paper = rng.integers(0, 256, (9, 28, 28), np.uint8), np.zeros((3, 28, 28), np.uint8)
    images = np.concatenate([mnist[0][:90], 255 - mnist[0][90:110], paper, noise])
    for chunk in (50, 1_000):
        answers = list(reader.read_many(images, chunk=chunk))
        assert [len(each.digits) for each in answers] == ([50, 50, 22] if chunk == 50 else [122])
        alone = [reader.read(image) for image in images]
        verdicts = np.concatenate([each.verdicts for each in answers])
        assert verdicts.tolist() == [r.verdict for r in alone]
        digits = np.concatenate([each.digits for each in answers])
        assert digits.tolist() == [-1 if r.digit is None else r.digit for r in alone]
        confidences = np.concatenate([each.confidences for each in answers])
        np.testing.assert_allclose(confidences, [r.confidence for r in alone], atol=1e-6)
        rejection = np.concatenate([each.not_a_digit for each in answers])
        np.testing.assert_allclose(rejection, [r.not_a_digit for r in alone], atol=1e-6)
    assert set(verdicts) == {"digit", "not_a_digit", "blank"}
    assert list(reader.read_many(images[:0])) == []


def test_a_blank_has_no_digit(reader):
    for reading in (reader.read(np.zeros((28, 28), np.uint8)), reader.read_strokes([])):
        assert reading.verdict == "blank"
        assert reading.digit is None
        assert reading.probabilities is None
        assert reading.confidence == 0
        assert reading.not_a_digit == 1
        assert reading.input.max() == 0


def test_a_reading_is_frozen(reader):
    with pytest.raises(dataclasses.FrozenInstanceError):
        reader.read_strokes([]).digit = 3


def test_larger_networks_have_higher_accuracy():
    accuracy = [Reader.load(name).evaluation["test"]["accuracy"]["value"] for name in NAMES]
    assert accuracy == sorted(accuracy)
    assert accuracy[0] > 0.9
    assert accuracy[1] > 0.97
    assert (
        0.99 <= accuracy[2] < 0.998
    )  # a higher accuracy would mean that the test set was used in training
