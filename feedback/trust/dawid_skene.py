"""One-coin Dawid-Skene: how often each person is right, told from agreement alone.

Each question has a hidden answer, yes or no, and each person gives it with a probability of their
own, their skill. Expectation-maximisation finds both, from the majority's word on (Dawid and Skene
1979; one coin: Zhang et al. 2016, 1406.3824). Which of two answers counts as yes is arbitrary here,
but its share is estimated all the same, as the paper does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

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
    if not votes:
        return Told({}, {})
    said = _Said(votes)
    yes_I = said.share_of_yes_I()
    for _ in range(ITERATIONS):
        known_I = said.expected_I(said.skills_P(yes_I), float(yes_I.mean()))
        moved = float(np.abs(known_I - yes_I).max())
        yes_I = known_I
        if moved < SETTLED:
            break
    return Told(said.by_item(yes_I), said.by_person(said.skills_P(yes_I)))


class _Said:
    """All votes as columns. Axes: I questions, P people, V votes."""

    def __init__(self, votes: Votes) -> None:
        self.items = [*votes]
        self.people = sorted({person for said in votes.values() for person in said})
        places = {person: place for place, person in enumerate(self.people)}
        rows = [
            (item, places[person], answer)
            for item, said in enumerate(votes.values())
            for person, answer in said.items()
        ]
        self.item_V, self.person_V, self.yes_V = (np.array(c) for c in zip(*rows, strict=True))

    def share_of_yes_I(self) -> Floats:
        """The majority's word, as a share."""
        return np.bincount(self.item_V, self.yes_V) / np.bincount(self.item_V)

    def skills_P(self, yes_I: Floats) -> Floats:
        """Each person's expected share of right answers."""
        right_V = np.where(self.yes_V, yes_I[self.item_V], 1 - yes_I[self.item_V])
        return np.bincount(self.person_V, right_V) / np.bincount(self.person_V)

    def expected_I(self, skills_P: Floats, share: float) -> Floats:
        """Each question's probability of yes, by who said what of it."""
        odds_V = np.where(self.yes_V, 1, -1) * log_odds(skills_P)[self.person_V]
        return sigmoid(log_odds(np.array(share)) + np.bincount(self.item_V, odds_V))

    def by_item(self, values_I: Floats) -> dict[str, float]:
        return dict(zip(self.items, values_I.tolist(), strict=True))

    def by_person(self, values_P: Floats) -> dict[str, float]:
        return dict(zip(self.people, values_P.tolist(), strict=True))


def chance_of_yes(said: Mapping[str, bool], skills: Mapping[str, float]) -> float:
    """The probability of yes by what these people said, where it is as likely as no."""
    odds_V = log_odds(np.array([skills[person] for person in said]))
    return float(sigmoid(np.where(list(said.values()), 1, -1) @ odds_V))


def log_odds(p: Floats) -> Floats:
    """Of probabilities, held off 0 and 1."""
    p = np.clip(p, EPSILON, 1 - EPSILON)
    odds: Floats = np.log(p) - np.log1p(-p)
    return odds


def sigmoid(x: Floats) -> Floats:
    """The probability of these log-odds, without overflow at either end."""
    chance: Floats = np.exp(-np.logaddexp(0.0, -x))
    return chance
