"""Calibrate a trained network: the temperature of its softmax, and the bias of its rejection logit.

Both are fitted on validation data. No other parameter is changed.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from model.mlp import MLP
from training.data import Split, SyntheticData, to_float
from training.recipe import MAX_REJECTED, MAX_REJECTED_SYNTHETIC, MAX_REJECTED_UNSEEN

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
    all_logits, labels = [logits], [val_split.labels]
    unseen = synthetic is not None and val_split is synthetic.val_written_digits
    limits = [(log_odds, MAX_REJECTED_UNSEEN if unseen else MAX_REJECTED)]
    figures = {"threshold": 1.0}
    for name, digits in _other_digits(synthetic).items():
        if digits is val_split or not len(digits.labels):
            continue
        logits, log_odds = compute_logits(model, digits)
        figures[f"{name}_accuracy"] = (logits.argmax(1) == digits.labels).float().mean().item()
        all_logits.append(logits)
        labels.append(digits.labels)
        limits.append((log_odds, MAX_REJECTED_SYNTHETIC))
    if synthetic and rejects:
        fit_rejection_bias(model, limits)
        figures["threshold"] = THRESHOLD
        _, outlier_log_odds = compute_logits(model, synthetic.val_outliers)
        figures["outliers_refused"] = (outlier_log_odds > 0).float().mean().item()
    return {"temperature": fit_temperature(torch.cat(all_logits), torch.cat(labels)), **figures}


def _other_digits(synthetic: SyntheticData | None) -> dict[str, Split]:
    """Return the drawn digits to validate on, by their names in results.json."""
    if not synthetic:
        return {}
    return {
        "synthetic_digits": synthetic.val_digits,
        "written_digits": synthetic.val_written_digits,
    }


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
def fit_rejection_bias(model: MLP, limits: Sequence[tuple[Tensor, float]]) -> None:
    """Shift the rejection logit so that its log-odds exceed 0 for only a share of the digits.

    `limits` holds the log-odds of "not a digit", (N,), of each set of validation digits, and the
    largest share of it that may be rejected.
    """
    model.not_a_digit.bias.sub_(max(odds.quantile(1 - share) for odds, share in limits))
