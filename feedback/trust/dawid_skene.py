"""One-coin Dawid-Skene: how often each person is right, told from agreement alone.

Each question has a hidden answer, yes or no, and each person gives it with a probability of their
own, their skill. Expectation-maximisation finds both, from the majority's word on (Dawid and Skene
1979; one coin: Zhang et al. 2016, 1406.3824). Which of two answers counts as yes is arbitrary here,
but its share is estimated all the same, as the paper does.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

ITERATIONS = 1000
SETTLED = 1e-9
"""No probability moves further in an iteration: it is over."""

EPSILON = 1e-10
"""Nobody is taken for infallible."""

Votes = Mapping[str, Mapping[str, bool]]
"""By question, each person's answer."""


@dataclass(frozen=True)
class Told:
    """Each question's probability of yes, and each person's share of right answers, as expected."""

    yes: dict[str, float]
    skills: dict[str, float]


def one_coin(votes: Votes) -> Told:
    """Fit questions and people to each other; without votes both are empty."""
    yes = {item: fmean(said.values()) for item, said in votes.items()}
    for _ in range(ITERATIONS if votes else 0):
        skills = skills_of(votes, yes)
        known = _expected(votes, skills, fmean(yes.values()))
        moved = max(abs(known[item] - yes[item]) for item in yes)
        yes = known
        if moved < SETTLED:
            break
    return Told(yes, skills_of(votes, yes))


def skills_of(votes: Votes, yes: Mapping[str, float]) -> dict[str, float]:
    """Each person's expected share of right answers."""
    right: dict[str, list[float]] = defaultdict(list)
    for item, said in votes.items():
        for person, answer in said.items():
            right[person].append(yes[item] if answer else 1 - yes[item])
    return {person: fmean(shares) for person, shares in right.items()}


def _expected(votes: Votes, skills: Mapping[str, float], share: float) -> dict[str, float]:
    """Each question's probability of yes, by who said what of it."""
    odds = {person: _log_odds(skill) for person, skill in skills.items()}
    found = {}
    for item, said in votes.items():
        total = _log_odds(share) + sum(
            odds[p] if answer else -odds[p] for p, answer in said.items()
        )
        found[item] = _sigmoid(total)
    return found


def _log_odds(p: float) -> float:
    p = min(max(p, EPSILON), 1 - EPSILON)
    return math.log(p / (1 - p))


def _sigmoid(x: float) -> float:
    """Without overflow at either end."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
