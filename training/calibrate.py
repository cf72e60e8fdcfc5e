"""Make a trained network's confidence believable: a temperature, and where to refuse.

Measured on validation digits and on drawings that training did not use; weights that carry
information stay as they are.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from model.mlp import MLP
from training.data import Split
from training.train import Synthetic

THRESHOLD = 0.5  # the head's bias is moved so that this is where the shares below are met
MAX_REFUSED = 0.004  # of MNIST's validation digits
MAX_REFUSED_PENS = 0.015  # of synthetic digits


@torch.no_grad()
def trace(model: MLP, split: Split, *, batch_size: int = 1_000) -> tuple[Tensor, Tensor]:
    """Return the logits, (N, 10), and the log-odds that it is no digit, (N,)."""
    traces = [model.trace(images / 255) for images in split.images.split(batch_size)]
    return torch.cat([t.logits for t in traces]), torch.cat([t.rejection_log_odds for t in traces])


def calibrate(
    model: MLP, val_split: Split, synthetic: Synthetic | None, *, refuse: bool
) -> dict[str, float]:
    """Return the config's temperature and threshold, with what was measured on the way.

    Where the network learned to refuse, its head's bias is set so that it refuses few digits.
    """
    logits, doubts = trace(model, val_split)
    labels, figures = val_split.labels, {"threshold": 1.0}
    if synthetic:
        pens = synthetic.val_pens
        pen_logits, pen_doubts = trace(model, pens)
        figures["pens_accuracy"] = (pen_logits.argmax(1) == pens.labels).float().mean().item()
        logits, labels = torch.cat([logits, pen_logits]), torch.cat([labels, pens.labels])
        if refuse:
            set_threshold(model, doubts, pen_doubts)
            figures["threshold"] = THRESHOLD
            _, refused = trace(model, synthetic.val_outliers)
            figures["outliers_refused"] = (refused > 0).float().mean().item()
    return {"temperature": fit_temperature(logits, labels), **figures}


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return what to divide the logits by, so that the labels' likelihood is highest.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    log_t = torch.zeros((), device=logits.device, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_t], max_iter=50, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(logits / log_t.exp(), labels)
        value.backward()
        return value

    optimizer.step(loss)
    return float(log_t.detach().exp())


@torch.no_grad()
def set_threshold(model: MLP, digits: Tensor, pens: Tensor) -> None:
    """Move the head's bias so that few enough digits come out above THRESHOLD.

    `digits` and `pens` are the log-odds, (N,), on validation and on synthetic digits.
    """
    high = max(digits.quantile(1 - MAX_REFUSED), pens.quantile(1 - MAX_REFUSED_PENS))
    model.not_a_digit.bias.sub_(high)


class Bin(NamedTuple):
    """Pictures whose probability of their digit lies above `low` and up to `high`."""

    low: float
    high: float
    n: int
    confidence: float | None  # their mean probability; None where there is no picture
    accuracy: float | None  # the share of them that is read right


def reliability(probabilities: Tensor, labels: Tensor, *, n_bins: int = 15) -> list[Bin]:
    """Sort pictures by the largest of their probabilities, (N, 10), into equal-width bins."""
    confidence, digit = probabilities.double().max(1)
    right = (digit == labels).double()
    which = _bin_of(confidence, n_bins)
    bins = []
    for i in range(n_bins):
        there = which == i
        n = int(there.sum())
        means = [float(each[there].mean()) if n else None for each in (confidence, right)]
        bins.append(Bin(i / n_bins, (i + 1) / n_bins, n, *means))
    return bins


def _bin_of(confidence: Tensor, n_bins: int) -> Tensor:
    """Return which bin each confidence lies in, from 0; on an edge, the lower one."""
    return (confidence * n_bins).ceil().long().clamp(1, n_bins) - 1


def calibration_error(probabilities: Tensor, labels: Tensor) -> float:
    """Return the expected calibration error, 0..1, of probabilities (N, 10): the mean gap of a bin.

    Source: Naeini, Cooper, Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian
    Binning", AAAI 2015.
    """
    gaps = [
        b.n * abs(b.confidence - b.accuracy)
        for b in reliability(probabilities, labels)
        if b.confidence is not None and b.accuracy is not None
    ]
    return sum(gaps) / len(labels)


def chance_error(probabilities: Tensor, *, redraws: int = 1_000, n_bins: int = 15) -> float:
    """Return the calibration error, 0..1, that probabilities (N, 10) would show if they were true.

    It is above 0 by chance, the more so the fewer the pictures: the mean over labels that are drawn
    anew from the probabilities themselves.
    """
    confidence = probabilities.double().max(1).values
    bins = F.one_hot(_bin_of(confidence, n_bins), n_bins).double()  # (N, n_bins)
    generator, total = torch.Generator().manual_seed(0), 0.0
    for _ in range(redraws):
        right = torch.rand(len(confidence), generator=generator, dtype=torch.float64) < confidence
        total += float(((right.double() - confidence) @ bins).abs().sum())
    return total / redraws / len(confidence)
