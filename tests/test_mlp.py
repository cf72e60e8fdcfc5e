"""Tests of the network: forward pass, gradients and initial weights."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from model.mlp import MLP, N_PIXELS, parameter_shapes

SIZES = [(), (32,), (64, 32), (1024,)]


def numpy_forward(model, images):
    """Compute the forward pass independently, in float64 NumPy."""
    *weights, head, head_bias = (p.numpy(force=True).astype(np.float64) for p in model.parameters())
    values = images.astype(np.float64)
    hidden = []
    for i in range(0, len(weights) - 2, 2):
        before = values @ weights[i].T + weights[i + 1]
        values = np.maximum(before, 0)
        hidden.append((before, values))
    return hidden, values @ weights[-2].T + weights[-1], (values @ head.T + head_bias)[:, 0]


@pytest.mark.parametrize("hidden_sizes", SIZES)
def test_forward_pass_agrees_with_numpy(hidden_sizes, torch_device):
    torch.manual_seed(0)
    model = MLP(hidden_sizes).to(torch_device)
    images = torch.rand(5, N_PIXELS, device=torch_device)
    hidden, logits, rejection = model.trace(images)
    expected_hidden, expected_logits, expected_rejection = numpy_forward(
        model, images.numpy(force=True)
    )
    np.testing.assert_allclose(rejection.numpy(force=True), expected_rejection, atol=2e-6)
    assert logits.shape == (5, 10)
    np.testing.assert_allclose(logits.numpy(force=True), expected_logits, atol=2e-6)
    assert [h.activations.shape for h in hidden] == [(5, n) for n in hidden_sizes]
    for layer, (before, after) in zip(hidden, expected_hidden, strict=True):
        np.testing.assert_allclose(layer.pre_activations.numpy(force=True), before, atol=2e-6)
        np.testing.assert_allclose(layer.activations.numpy(force=True), after, atol=2e-6)


def test_forward_accepts_images_of_shape_b_1_28_28_and_equals_trace(torch_device):
    model = MLP().to(torch_device)
    images = torch.rand(3, 1, 28, 28, device=torch_device)
    assert torch.equal(model(images), model(images.view(3, N_PIXELS)))
    assert torch.equal(model(images), model.trace(images).logits)


def test_gradients_agree_with_finite_differences():
    torch.manual_seed(0)
    model = MLP((7, 5)).double()
    images, labels = torch.rand(4, N_PIXELS, dtype=torch.float64), torch.tensor([1, 2, 3, 4])

    def loss():
        traced = model.trace(images)
        return F.cross_entropy(traced.logits, labels) + traced.not_a_digit.square().sum()

    loss().backward()
    step = 1e-6
    for parameter in model.parameters():
        index = tuple(int(n) // 2 for n in parameter.shape)
        losses = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter[index] += sign * step
                losses.append(loss().item())
                parameter[index] -= sign * step
        difference = (losses[0] - losses[1]) / (2 * step)
        assert parameter.grad is not None
        assert parameter.grad[index].item() == pytest.approx(difference, rel=1e-5, abs=1e-9)


def test_initial_weights_are_those_of_nn_linear():
    torch.manual_seed(3)
    weight = next(MLP((500,)).parameters())
    bound = 1 / 28
    assert weight.abs().max().item() <= bound
    assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)


@pytest.mark.parametrize("hidden_sizes", SIZES)
def test_parameter_shapes_are_those_of_the_state_dict(hidden_sizes):
    state = MLP(hidden_sizes).state_dict()
    assert parameter_shapes(hidden_sizes) == {k: tuple(v.shape) for k, v in state.items()}
