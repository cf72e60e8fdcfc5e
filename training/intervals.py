"""Confidence intervals of measured shares."""

import math
import statistics

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
