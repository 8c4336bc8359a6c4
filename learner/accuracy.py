"""How well a reward model tells which of two answers people put first. Pure.

Pairs of one ranking hang together, so the interval is one over conversations.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

from learner.interval import clustered
from learner.reward import RankedGroup


@dataclass(frozen=True)
class Judged:
    """One untied pair: the score's gap from people's better to their worse answer, and lengths'."""

    conversation_id: str
    gap: float
    longer: int


@dataclass(frozen=True)
class Accuracy:
    """Share of untied pairs ordered as people did, its 95 % interval, and what to hold it against.

    `longer_wins` is the accuracy of preferring the longer text; `calibration_error` the mean
    distance between stated probability and outcome, in ten bins; `conversations` the sample's size.
    """

    accuracy: float
    low: float
    high: float
    longer_wins: float
    calibration_error: float
    pairs: int
    conversations: int

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def judged_pairs(ranking: RankedGroup, scores: Sequence[float]) -> list[Judged]:
    """All untied pairs of a ranking under these scores."""
    pairs = []
    for i, j in combinations(range(len(ranking.ranks)), 2):
        if ranking.ranks[i] == ranking.ranks[j]:
            continue
        better, worse = (i, j) if ranking.ranks[i] < ranking.ranks[j] else (j, i)
        longer = len(ranking.texts[better]) - len(ranking.texts[worse])
        gap = scores[better] - scores[worse]
        pairs.append(Judged(ranking.conversation_id, gap, (longer > 0) - (longer < 0)))
    return pairs


def measure(pairs: Sequence[Judged]) -> Accuracy:
    """Accuracy over pairs; without any pair it is one half, with the interval 0 to 1."""
    if not pairs:
        return Accuracy(0.5, 0.0, 1.0, 0.5, 0.0, 0, 0)
    tallies: dict[str, list[float]] = defaultdict(list)
    for pair in pairs:
        tallies[pair.conversation_id].append((pair.gap > 0) + 0.5 * (pair.gap == 0))
    right, low, high = clustered([(sum(tally), len(tally)) for tally in tallies.values()])
    longer = sum((1 + p.longer) / 2 for p in pairs) / len(pairs)
    error = _calibration_error([p.gap for p in pairs])
    return Accuracy(right, low, high, longer, error, len(pairs), len(tallies))


def _calibration_error(gaps: Sequence[float]) -> float:
    """Expected calibration error of sigmoid(|gap|) as the probability of having the order right."""
    bins: list[list[tuple[float, float]]] = [[] for _ in range(10)]
    for gap in gaps:
        stated = 1 / (1 + math.exp(-min(abs(gap), 50.0)))
        bins[min(9, int((stated - 0.5) * 20))].append((stated, float(gap > 0)))
    filled = [b for b in bins if b]
    distance = [abs(sum(s for s, _ in b) - sum(o for _, o in b)) for b in filled]
    return sum(distance) / len(gaps)
