"""Calibrate a trained network: the temperature of its softmax, and the bias of its rejection logit.

Both are fitted on validation data. No other parameter is changed.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from model.mlp import MLP
from training.data import Split, SyntheticData, to_float
from training.recipe import MAX_REJECTED, MAX_REJECTED_SYNTHETIC

THRESHOLD = 0.5  # of the probability of "not a digit"; its log-odds are 0


@torch.no_grad()
def compute_logits(model: MLP, split: Split, *, batch_size: int = 1_000) -> tuple[Tensor, Tensor]:
    """Return the logits, (N, 10), and the log-odds of "not a digit", (N,)."""
    traces = [model.trace(to_float(images)) for images in split.images.split(batch_size)]
    return torch.cat([t.logits for t in traces]), torch.cat([t.rejection_log_odds for t in traces])


def calibrate(
    model: MLP, val_split: Split, synthetic: SyntheticData | None, *, rejects: bool
) -> dict[str, float]:
    """Return the temperature and the threshold for config.json, and figures for results.json.

    If the network was trained to reject (`rejects`), the bias of its rejection logit is changed.
    """
    logits, log_odds = compute_logits(model, val_split)
    labels, figures = val_split.labels, {"threshold": 1.0}
    if synthetic:
        digits = synthetic.val_digits
        digit_logits, digit_log_odds = compute_logits(model, digits)
        accuracy = (digit_logits.argmax(1) == digits.labels).float().mean().item()
        figures["synthetic_digits_accuracy"] = accuracy
        logits = torch.cat([logits, digit_logits])
        labels = torch.cat([labels, digits.labels])
        if rejects:
            fit_rejection_bias(model, log_odds, digit_log_odds)
            figures["threshold"] = THRESHOLD
            _, outlier_log_odds = compute_logits(model, synthetic.val_outliers)
            figures["outliers_refused"] = (outlier_log_odds > 0).float().mean().item()
    return {"temperature": fit_temperature(logits, labels), **figures}


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature that maximises the likelihood. Logits, (N, 10), are divided by it.

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
def fit_rejection_bias(model: MLP, log_odds: Tensor, synthetic_log_odds: Tensor) -> None:
    """Shift the rejection logit so that its log-odds exceed 0 for only MAX_REJECTED of the digits.

    The arguments are the log-odds of "not a digit", (N,), of MNIST's validation digits and of the
    synthetic ones.
    """
    excess = max(
        log_odds.quantile(1 - MAX_REJECTED),
        synthetic_log_odds.quantile(1 - MAX_REJECTED_SYNTHETIC),
    )
    model.not_a_digit.bias.sub_(excess)
