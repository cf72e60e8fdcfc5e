"""Metrics of a classifier: intervals of shares, AUROC, and calibration errors."""

import math
import statistics
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

DECIMALS = 6  # of every figure in evaluation.json


def wilson(k: int, n: int) -> dict[str, float]:
    """Return the share k / n with its 95 % confidence interval.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
    J. Am. Stat. Assoc. 22, 1927.
    """
    z, share = statistics.NormalDist().inv_cdf(0.975), k / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return {
        "value": round(share, DECIMALS),
        "low": round(low, DECIMALS),
        "high": round(high, DECIMALS),
    }


def auroc(high: np.ndarray, low: np.ndarray) -> float:
    """Return the probability that a random one of `high` is above a random one of `low`.

    Ties count half.
    """
    ordered = np.sort(low)
    below = np.searchsorted(ordered, high, "left") + np.searchsorted(ordered, high, "right")
    return float(below.mean() / 2 / len(low))


class Bin(NamedTuple):
    """The images whose confidence is above `low` and at most `high`."""

    low: float
    high: float
    n: int
    confidence: float | None  # the mean; None for an empty bin
    accuracy: float | None


def reliability_bins(probabilities: Tensor, labels: Tensor, *, n_bins: int = 15) -> list[Bin]:
    """Sort images by their largest probability of (N, 10) into bins of equal width."""
    confidence, digit = probabilities.double().max(1)
    right = (digit == labels).double()
    index = _bin_of(confidence, n_bins)
    bins = []
    for i in range(n_bins):
        inside = index == i
        n = int(inside.sum())
        means = [float(each[inside].mean()) if n else None for each in (confidence, right)]
        bins.append(Bin(i / n_bins, (i + 1) / n_bins, n, *means))
    return bins


def _bin_of(confidence: Tensor, n_bins: int) -> Tensor:
    """Return the index of each confidence's bin; on an edge, that of the lower bin."""
    return (confidence * n_bins).ceil().long().clamp(1, n_bins) - 1


def calibration_error(probabilities: Tensor, labels: Tensor) -> float:
    """Return the expected calibration error, 0..1, of probabilities (N, 10).

    This is the mean difference of confidence and accuracy in a bin, weighted by its size.

    Source: Naeini, Cooper, Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian
    Binning", AAAI 2015.
    """
    gaps = [
        b.n * abs(b.confidence - b.accuracy)
        for b in reliability_bins(probabilities, labels)
        if b.confidence is not None and b.accuracy is not None
    ]
    return sum(gaps) / len(labels)


def calibration_error_by_chance(
    probabilities: Tensor, *, redraws: int = 1_000, n_bins: int = 15
) -> float:
    """Return the calibration error, 0..1, that perfectly calibrated probabilities would show.

    It is above 0 by chance, and larger for fewer images. The result is the mean error over labels
    that are drawn at random from the probabilities, (N, 10).
    """
    confidence = probabilities.double().max(1).values
    bins = F.one_hot(_bin_of(confidence, n_bins), n_bins).double()  # (N, n_bins)
    generator, total = torch.Generator().manual_seed(0), 0.0
    for _ in range(redraws):
        right = torch.rand(len(confidence), generator=generator, dtype=torch.float64) < confidence
        total += float(((right.double() - confidence) @ bins).abs().sum())
    return total / redraws / len(confidence)
