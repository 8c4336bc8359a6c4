"""Which of a prompt's answers are worth a ranking: those of which the heads of a reward model think
most unlike. Pure.

What all heads agree about, rankings have already taught; where they differ, each stands where
chance put it, and a ranking decides. Two answers are disputed as much as their difference varies
among the heads: what a head says of all answers alike cancels (query by committee: Seung, Opper and
Sompolinsky 1992; of pairs of answers, without gain there: Gleave and Irving 2022, 2203.07472).

Axes: K answers, H heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import variance

Scores = Sequence[Sequence[float]]


def most_disputed(scores_KH: Scores, count: int) -> list[int]:
    """The places of `count` answers, or of all: the pair that is disputed most, then one by one
    whatever is disputed most with those that are there. Of equals the first.
    """
    places = range(len(scores_KH))
    if count >= len(places):
        return list(places)
    dispute = {
        frozenset(pair): _dispute(*(scores_KH[place] for place in pair))
        for pair in combinations(places, 2)
    }
    chosen = list(max(combinations(places, 2), key=lambda pair: dispute[frozenset(pair)]))
    while len(chosen) < count:
        left = [place for place in places if place not in chosen]
        chosen.append(max(left, key=lambda p: sum(dispute[frozenset((p, q))] for q in chosen)))
    return sorted(chosen)


def _dispute(one_H: Sequence[float], other_H: Sequence[float]) -> float:
    """The variance among heads of two answers' difference."""
    return variance(a - b for a, b in zip(one_H, other_H, strict=True))
