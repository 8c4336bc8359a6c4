"""Which of two is better, looked at after every comparison. Pure: knows no rankings.

A test that is made once errs in 5 of 100 cases; made again after every comparison it errs in many
more, for sooner or later chance alone crosses its bound. The interval here holds at all times
together: however often somebody looks, and whenever they stop, the true share of wins lies outside
it at any time with a probability of `error` at most.

It is the beta-binomial mixture (Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021,
"Time-uniform, nonparametric, nonasymptotic confidence sequences"). For w wins and l losses and a
share p,

    M(p) = B(a + w, a + l) / (B(a, a) p^w (1 - p)^l)

is, at the true p, a martingale that begins at 1, so that by Ville's inequality it ever reaches
1 / error with a probability of `error` at most. The interval is all p whose M is below that. Ties
say nothing of who is better and are no part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, lgamma, log

CONCENTRATION = 4.0
"""a, of the shares of wins that are thought possible: .5, give or take .17. Of 4,000 trials half
were decided after 184 comparisons at a true share of .6 and after 47 at .7; with 1, a flat one,
after 210 and 47, with 15 after 181 and 59. The interval holds for any."""

STEPS = 60
"""Halvings of the range that an end is looked for in."""


@dataclass(frozen=True)
class Tally:
    """Comparisons by how they ended for the first of two."""

    wins: int
    losses: int
    ties: int

    @property
    def untied(self) -> int:
        return self.wins + self.losses

    @property
    def rate(self) -> float | None:
        """The share of the untied ones that were won."""
        return self.wins / self.untied if self.untied else None


def interval(tally: Tally, error: float) -> tuple[float, float]:
    """The share of wins that is not ruled out, at this time or any other."""
    rate = tally.rate
    if rate is None:
        return 0.0, 1.0
    limit = -log(error)
    low = 0.0 if _evidence(tally, 0.0) < limit else _end(tally, 0.0, rate, limit)
    high = 1.0 if _evidence(tally, 1.0) < limit else _end(tally, 1.0, rate, limit)
    return low, high


def _end(tally: Tally, outside: float, inside: float, limit: float) -> float:
    """Between a share that is ruled out and one that is not: M rises from the observed rate on."""
    for _ in range(STEPS):
        middle = (outside + inside) / 2
        if _evidence(tally, middle) < limit:
            inside = middle
        else:
            outside = middle
    return outside


def _evidence(tally: Tally, share: float) -> float:
    """log M at this share."""
    return _log_mixture(tally.wins, tally.losses) - (
        _times_log(tally.wins, share) + _times_log(tally.losses, 1.0 - share)
    )


def _log_mixture(wins: int, losses: int) -> float:
    return _log_beta(CONCENTRATION + wins, CONCENTRATION + losses) - _log_beta(
        CONCENTRATION, CONCENTRATION
    )


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _times_log(count: int, share: float) -> float:
    """count log share, where nothing times the log of nothing is nothing."""
    if not count:
        return 0.0
    return count * log(share) if share > 0 else -inf


def better(tally: Tally, error: float, least: int) -> bool | None:
    """Whether the first of the two is better; None while that is open, or fewer than `least`
    comparisons have been decided.
    """
    if tally.untied < least:
        return None
    low, high = interval(tally, error)
    if low > 0.5:
        return True
    return False if high < 0.5 else None
