import numpy as np
import pytest
import torch

from training.metrics import (
    auroc,
    calibration_error,
    calibration_error_by_chance,
    reliability_bins,
    wilson,
)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611),
     (1, 29, 0.0061, 0.1718)],
)  # fmt: skip
def test_wilson_intervals_are_those_of_the_literature(k, n, low, high):
    found = wilson(k, n)
    assert found["value"] == pytest.approx(k / n, abs=1e-6)
    assert (found["low"], found["high"]) == (
        pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5)
    )  # fmt: skip
    assert wilson(n, n)["high"] == 1


def test_auroc_is_the_share_of_ordered_pairs_with_half_of_the_ties():
    rng = np.random.default_rng(0)
    high, low = rng.integers(3, 9, 40), rng.integers(0, 7, 70)  # with ties
    pairs = (high[:, None] > low).mean() + (high[:, None] == low).mean() / 2
    assert auroc(high, low) == pytest.approx(pairs)


def test_the_calibration_error_is_the_mean_difference_of_confidence_and_accuracy():
    probs = torch.tensor([[0.9, 0.1]] * 10 + [[0.4, 0.6]] * 10)
    labels = torch.tensor([0] * 9 + [1] + [1] * 3 + [0] * 7)  # 90 % right, and 30 instead of 60
    assert calibration_error(probs, labels) == pytest.approx(0.15, abs=1e-6)
    certain = torch.tensor([[1.0, 0.0]] * 4)
    assert calibration_error(certain, torch.tensor([0, 0, 0, 0])) == 0
    assert calibration_error(certain, torch.tensor([1, 1, 1, 1])) == 1


def test_the_error_by_chance_is_the_mean_over_labels_drawn_from_the_probabilities():
    rng = np.random.default_rng(0)
    probs = torch.from_numpy(rng.dirichlet(np.full(10, 0.3), 400))
    errors = []
    for _ in range(300):
        labels = torch.multinomial(probs, 1).squeeze(1)
        errors.append(calibration_error(probs, labels))
    assert calibration_error_by_chance(probs) == pytest.approx(np.mean(errors), rel=0.05)


def test_a_confidence_on_the_edge_of_a_bin_belongs_to_the_lower_bin():
    bins = reliability_bins(
        torch.tensor([[0.25, 0.75], [1.0, 0.0]]), torch.tensor([1, 1]), n_bins=4
    )
    assert [each.n for each in bins] == [0, 0, 1, 1]
    assert (bins[3].confidence, bins[3].accuracy) == (1, 0)
