"""Shares and their intervals, 95 % unless `z` standard errors say otherwise. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

FEW = 20
"""Clusters below which their spread is no guide, and each counts as one observation."""


def wilson(share: float, n: float, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share over n observations; (0, 1) for none."""
    if n <= 0:
        return 0.0, 1.0
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return (centre - spread) / scale, (centre + spread) / scale


def clustered(
    clusters: Sequence[tuple[float, float]], z: float = 1.96
) -> tuple[float, float, float]:
    """(share, low, high) of clusters of (successes, trials), each with some trial.

    Trials of one cluster, as the pairs of one ranking, hang together. How far they do is read off
    the spread between clusters (the ratio estimator's variance, Cochran 1977, chapter 6), and
    Wilson's interval is that of as many independent observations as would vary so much.
    """
    if not clusters:
        return 0.5, 0.0, 1.0
    trials = sum(n for _, n in clusters)
    share = sum(successes for successes, _ in clusters) / trials
    squares = sum((successes - share * n) ** 2 for successes, n in clusters)
    observations = float(len(clusters))
    if len(clusters) >= FEW:
        variance = squares * len(clusters) / (len(clusters) - 1) / trials**2
        observations = share * (1 - share) / variance if variance else trials
    return share, *wilson(share, min(observations, trials), z)


def of_mean(values: Sequence[float], z: float = 1.96) -> tuple[float, float, float]:
    """(mean, low, high) of shares between 0 and 1, one for each independent observation."""
    if len(values) < FEW:
        return clustered([(value, 1) for value in values], z)
    mean = statistics.fmean(values)
    spread = z * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - spread, mean + spread
