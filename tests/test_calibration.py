import pytest
import torch

from model.mlp import MLP
from training.calibration import fit_rejection_bias, fit_temperature


def test_the_temperature_of_labels_drawn_from_it_is_found(torch_device):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(40_000, 10, generator=generator) * 3
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)
    logits, labels = logits.to(torch_device), labels.to(torch_device)
    for temperature in (0.5, 1.0, 2.5):
        assert fit_temperature(logits * temperature, labels) == pytest.approx(temperature, rel=0.03)


def test_the_rejection_bias_rejects_few_digits(torch_device):
    torch.manual_seed(0)
    model = MLP((8,)).to(torch_device)
    log_odds = torch.randn(10_000).to(torch_device)
    before = model.not_a_digit.bias.item()
    others = torch.randn(5_000).to(torch_device) * 0.1
    fit_rejection_bias(model, [(log_odds, 0.004), (others, 0.015)])
    shifted = log_odds + model.not_a_digit.bias.item() - before
    assert (shifted > 0).float().mean().item() == pytest.approx(0.004, abs=2e-4)
