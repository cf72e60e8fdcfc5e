"""Tests of explanations: contributions sum to what they explain."""

import numpy as np
import pytest
import torch

from model import Reader
from model.checkpoint import Checkpoint, Config
from model.explain import stroke_contributions, template, unit
from model.mlp import MLP

CROSS = [[[0, 0], [100, 0], [40, 150]], [], [[20, 80], [90, 80]]]  # a 7, in two strokes


@pytest.fixture(params=["logistic", "mlp-32", "mlp-1024", "deep"])
def reader(request, torch_device):
    if request.param != "deep":
        return Reader.load(request.param, device=str(torch_device))
    torch.manual_seed(0)
    config = Config("deep", (40, 20))
    return Reader(Checkpoint(config, MLP((40, 20))), device=torch_device)


def eleven(reading):
    return np.append(reading.logits, reading.not_a_digit_logit)


def test_the_template_computes_the_logits(reader):
    reading = reader.read_strokes(CROSS)
    whole = template(reader.model, reading)
    assert whole.weights.shape == (11, 784)
    logits = whole.weights @ reading.input.reshape(-1).astype(np.float64) + whole.bias
    np.testing.assert_allclose(logits, eleven(reading), atol=2e-5)


def test_the_template_is_the_gradient(reader):
    reading = reader.read_strokes(CROSS)
    pixels = torch.from_numpy(reading.input.reshape(1, -1)).requires_grad_()
    for digit in (0, 7, 10):
        trace = reader.cpu_model.trace(pixels)
        logits = torch.cat([trace.logits[0], trace.not_a_digit])
        [gradient] = torch.autograd.grad(logits[digit], pixels)
        found = template(reader.model, reading).weights[digit]
        np.testing.assert_allclose(found, gradient[0], atol=2e-5)


def test_a_units_sum_and_outgoing_weights_match_the_network(reader):
    reading = reader.read_strokes(CROSS)
    pixels = reading.input.reshape(-1).astype(np.float64)
    for layer, numbers in enumerate(reading.layers):
        for index in (0, len(numbers.activations) - 1, int(numbers.activations.argmax())):
            found = unit(reader.model, reading, layer=layer, index=index)
            assert found.pre_activation == numbers.pre_activations[index]
            assert found.activation == max(0.0, found.pre_activation)
            total = found.weights @ pixels + found.bias
            assert total == pytest.approx(found.pre_activation, abs=2e-5)
            inputs = torch.from_numpy(numbers.activations.copy()).requires_grad_()
            outputs = inputs
            for linear in reader.cpu_model.layers[layer + 1 : -1]:
                outputs = torch.relu(linear(outputs))
            outputs = reader.cpu_model.layers[-1](outputs)
            for digit in (3, 7):
                [slope] = torch.autograd.grad(outputs[digit], inputs, retain_graph=True)
                assert found.outgoing[digit] == pytest.approx(float(slope[index]), abs=2e-5)


def test_a_missing_unit_is_an_error():
    reader = Reader.load("mlp-32")
    reading = reader.read_strokes(CROSS)
    with pytest.raises(IndexError, match="no unit 32 in hidden layer 0"):
        unit(reader.model, reading, layer=0, index=32)
    with pytest.raises(IndexError, match="no hidden layer 1"):
        unit(reader.model, reading, layer=1, index=0)


def test_strokes_add_up_to_the_logits(reader):
    reading = reader.read_strokes(CROSS)
    shares = stroke_contributions(template(reader.model, reading), reading, CROSS)
    assert shares.shape == (11, 3)
    assert (shares[:, 1] == 0).all()
    assert (shares[:, [0, 2]] != 0).all()
    total = shares.sum(axis=1) + template(reader.model, reading).bias
    np.testing.assert_allclose(total, eleven(reading), atol=2e-5)


def test_a_strokes_contribution_is_that_of_its_pixels():
    reader = Reader.load("logistic")
    strokes = [[[0, 0], [100, 0]], [[0, 100], [100, 100]]]  # two dashes, one over the other
    reading = reader.read_strokes(strokes)
    ink = template(reader.model, reading).weights * reading.input.reshape(-1)
    halves = ink.reshape(11, 2, -1).sum(axis=2)
    np.testing.assert_allclose(
        stroke_contributions(template(reader.model, reading), reading, strokes), halves
    )


def test_empty_strokes_contribute_nothing():
    reader = Reader.load("mlp-32")
    blank = reader.read_strokes([])
    assert stroke_contributions(template(reader.model, blank), blank, []).shape == (11, 0)
    gaps = [[[]], *CROSS, []]
    reading = reader.read_strokes(gaps)
    shares = stroke_contributions(template(reader.model, reading), reading, gaps)
    assert shares[:, 0].any() == shares[:, -1].any() == False  # noqa: E712
    np.testing.assert_array_equal(
        shares[:, 1:-1], stroke_contributions(template(reader.model, reading), reading, CROSS)
    )
    dot = [[[5, 5]]]
    reading = reader.read_strokes(dot)
    total = stroke_contributions(template(reader.model, reading), reading, dot).sum(axis=1)
    np.testing.assert_allclose(
        total + template(reader.model, reading).bias, eleven(reading), atol=2e-5
    )
