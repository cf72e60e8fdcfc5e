"""Make a trained network's confidence believable: a temperature, and where to refuse.

Measured on validation digits and on drawings that training did not use; weights that carry
information stay as they are.
"""

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
    return torch.cat([t.logits for t in traces]), torch.cat([t.doubt for t in traces])


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


def calibration_error(probabilities: Tensor, labels: Tensor, *, n_bins: int = 15) -> float:
    """Return the expected calibration error, 0..1, of probabilities (N, 10): equal-width bins.

    Source: Naeini, Cooper, Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian
    Binning", AAAI 2015.
    """
    confidence, digit = probabilities.max(1)
    right = (digit == labels).to(confidence.dtype)
    which = (confidence * n_bins).ceil().long().clamp(1, n_bins) - 1
    gaps = torch.zeros(n_bins, dtype=confidence.dtype, device=confidence.device)
    gaps.index_add_(0, which, confidence - right)
    return float(gaps.abs().sum() / len(labels))
