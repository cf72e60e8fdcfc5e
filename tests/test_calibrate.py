import pytest
import torch

from model.mlp import MLP
from training.calibrate import calibration_error, fit_temperature, set_threshold


def test_the_temperature_is_found_again(torch_device):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(40_000, 10, generator=generator) * 3
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)
    logits, labels = logits.to(torch_device), labels.to(torch_device)
    for temperature in (0.5, 1.0, 2.5):
        assert fit_temperature(logits * temperature, labels) == pytest.approx(temperature, rel=0.03)


def test_calibration_error_is_the_mean_gap():
    probabilities = torch.tensor([[0.9, 0.1]] * 10 + [[0.4, 0.6]] * 10)
    labels = torch.tensor([0] * 9 + [1] + [1] * 3 + [0] * 7)  # 90 % right, and 30 instead of 60
    assert calibration_error(probabilities, labels) == pytest.approx(0.15, abs=1e-6)
    certain = torch.tensor([[1.0, 0.0]] * 4)
    assert calibration_error(certain, torch.tensor([0, 0, 0, 0])) == 0
    assert calibration_error(certain, torch.tensor([1, 1, 1, 1])) == 1


def test_the_threshold_refuses_few_digits(torch_device):
    torch.manual_seed(0)
    model = MLP((8,)).to(torch_device)
    digits, pens = torch.randn(10_000).to(torch_device), torch.randn(5_000).to(torch_device) * 0.1
    before = model.not_a_digit.bias.item()
    set_threshold(model, digits, pens)
    moved = digits + model.not_a_digit.bias.item() - before
    assert (moved > 0).float().mean().item() == pytest.approx(0.004, abs=2e-4)
