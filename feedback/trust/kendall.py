"""Kendall's tau-b: how alike two rankings are, ties allowed for; 1 the same, -1 the reverse."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations, permutations
from statistics import fmean

from .judgements import Judgement, by_item, order


def tau_b(ranks: Sequence[int], other: Sequence[int]) -> float | None:
    """Of two rankings of the same things; None where one of them ties everything.

    (agreeing - disagreeing pairs) / sqrt(pairs untied in the one * pairs untied in the other);
    Kendall 1945, "The treatment of ties in ranking problems".
    """
    score = untied = other_untied = 0
    for i, j in combinations(range(len(ranks)), 2):
        one, two = order(ranks[i], ranks[j]), order(other[i], other[j])
        score, untied, other_untied = score + one * two, untied + one**2, other_untied + two**2
    return score / math.sqrt(untied * other_untied) if untied and other_untied else None


def tau_with_others(judgements: Iterable[Judgement]) -> dict[str, float]:
    """Each person's mean tau-b with everybody who ranked the same candidates."""
    found: dict[str, list[float]] = defaultdict(list)
    for people in by_item(judgements):
        for one, other in permutations(people.values(), 2):
            tau = _of_judgements(one, other)
            if tau is not None:
                found[one.person].append(tau)
    return {person: fmean(taus) for person, taus in found.items()}


def _of_judgements(one: Judgement, other: Judgement) -> float | None:
    """Over the candidates that both ranked."""
    theirs = dict(zip(other.candidates, other.ranks, strict=True))
    both = [
        (rank, theirs[id])
        for id, rank in zip(one.candidates, one.ranks, strict=True)
        if rank is not None and theirs[id] is not None
    ]
    return tau_b([rank for rank, _ in both], [rank or 0 for _, rank in both])
