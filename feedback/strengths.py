"""How strong each version is, from who was put above whom. Pure: knows no rankings.

Bradley-Terry with ties, as Davidson (1970) has them. With d the difference of two strengths,

    P(first) : P(second) : P(tie)  =  e^(d/2) : e^(-d/2) : e^η

so that without ties d is the log-odds of winning. Covariates add β x to d, x being how much more of
something the first one has: what is left in the strengths is not its doing ("style control").

Everything has a normal prior around 0, which keeps a version that has never won finite. Intervals
are of the normal approximation at the maximum. Axes: N comparisons, P parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PRIOR = 2.0
"""Deviation of a strength, in log-odds: .88 against the mean is one deviation away."""

PRIOR_OTHER = 2.0
"""Of β, for covariates of deviation 1, and of η."""

Z_95 = 1.959964
STEPS = 100
SETTLED = 1e-9


@dataclass(frozen=True)
class Comparison:
    """Two of them, by number; `outcome` is 1 where the first was put above, -1 where the second
    was, 0 for a tie. `style` says how much more of each covariate the first one has.
    """

    first: int
    second: int
    outcome: int
    weight: float = 1.0
    style: tuple[float, ...] = ()


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Strengths:
    """By number, relative to the baseline, in log-odds; then β by covariate, and η. `at_P` is where
    the posterior is highest, strengths first, with `covariance_PP`.
    """

    strengths: tuple[Estimate, ...]
    style: tuple[Estimate, ...]
    tie: Estimate
    at_P: Floats
    covariance_PP: Floats

    def over(self, first: int, second: int) -> Estimate:
        """How much stronger the first is than the second."""
        direction_P = np.zeros_like(self.at_P)
        direction_P[first] += 1.0
        direction_P[second] -= 1.0
        return _estimate(direction_P, self.at_P, self.covariance_PP)


def fit(comparisons: Sequence[Comparison], count: int, baseline: int = 0) -> Strengths:
    """The strengths of so many, and what covariates and ties add."""
    covariates = len(comparisons[0].style) if comparisons else 0
    rows_NP = _rows(comparisons, count, covariates)
    outcomes_N = np.array([c.outcome for c in comparisons], dtype=float)
    weights_N = np.array([c.weight for c in comparisons], dtype=float)
    at_P, precision_PP = _maximum(rows_NP, outcomes_N, weights_N, count)
    covariance_PP: Floats = np.linalg.inv(precision_PP).astype(np.float64)

    def estimate(direction_P: Floats) -> Estimate:
        return _estimate(direction_P, at_P, covariance_PP)

    units_PP = np.eye(len(at_P))
    return Strengths(
        tuple(estimate(units_PP[i] - units_PP[baseline]) for i in range(count)),
        tuple(estimate(units_PP[count + k]) for k in range(covariates)),
        estimate(units_PP[-1]),
        at_P,
        covariance_PP,
    )


def _estimate(direction_P: Floats, at_P: Floats, covariance_PP: Floats) -> Estimate:
    value = float(direction_P @ at_P)
    spread = Z_95 * float(np.sqrt(direction_P @ covariance_PP @ direction_P))
    return Estimate(value, value - spread, value + spread)


def _rows(comparisons: Sequence[Comparison], count: int, covariates: int) -> Floats:
    """What each comparison's d is made of; η, the last parameter, is no part of it."""
    rows_NP = np.zeros((len(comparisons), count + covariates + 1))
    for row_P, comparison in zip(rows_NP, comparisons, strict=True):
        row_P[comparison.first] += 1.0
        row_P[comparison.second] -= 1.0
        row_P[count:-1] = comparison.style
    return rows_NP


def _maximum(
    rows_NP: Floats, outcomes_N: Floats, weights_N: Floats, count: int
) -> tuple[Floats, Floats]:
    """Where the posterior, which is concave, is highest, and its curvature there (Newton)."""
    deviations_P = np.full(rows_NP.shape[1], PRIOR_OTHER)
    deviations_P[:count] = PRIOR
    prior_P = deviations_P**-2
    at_P = np.zeros(rows_NP.shape[1])
    for _ in range(STEPS):
        gradient_P, precision_PP = _slopes(at_P, rows_NP, outcomes_N, weights_N, prior_P)
        step_P = np.linalg.solve(precision_PP, gradient_P)
        step_P /= max(1.0, float(np.abs(step_P).max()) / 2)  # far from the maximum, no leaps
        at_P = at_P + step_P
        if np.abs(step_P).max() < SETTLED:
            break
    return at_P, _slopes(at_P, rows_NP, outcomes_N, weights_N, prior_P)[1]


def _slopes(
    at_P: Floats, rows_NP: Floats, outcomes_N: Floats, weights_N: Floats, prior_P: Floats
) -> tuple[Floats, Floats]:
    """Gradient and negative Hessian of the log-posterior. An outcome y of 1, -1 or 0 has the
    features y/2 for d and [y = 0] for η; the Hessian is their covariance.
    """
    d_N = rows_NP @ at_P
    logits_3N = np.stack([d_N / 2, -d_N / 2, np.full_like(d_N, at_P[-1])])
    shares_3N = np.exp(logits_3N - np.logaddexp.reduce(logits_3N, axis=0))
    first_N, second_N, tie_N = shares_3N
    mean_N = first_N - second_N
    gradient_P = rows_NP.T @ (weights_N * (outcomes_N - mean_N) / 2)
    gradient_P[-1] = weights_N @ ((outcomes_N == 0) - tie_N)
    spread_N = weights_N * (first_N + second_N - mean_N**2) / 4
    hessian_PP = rows_NP.T @ (spread_N[:, None] * rows_NP)
    across_P = rows_NP.T @ (-weights_N * mean_N * tie_N / 2)
    hessian_PP[-1, :] += across_P
    hessian_PP[:, -1] += across_P
    hessian_PP[-1, -1] += weights_N @ (tie_N * (1 - tie_N))
    return gradient_P - prior_P * at_P, hessian_PP + np.diag(prior_P)
