"""How well a reward model tells which of two answers people put first. Pure.

1. A ranking counts once, as in the loss: each of its untied pairs by one over their number. Counted
   by pairs, a careless ranking without ties would outweigh a considered one with many.
2. Rankings of one conversation hang together, so the interval is one over conversations.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import permutations

from learner.interval import clustered
from learner.reward import RankedGroup


@dataclass(frozen=True)
class Judged:
    """One untied pair: the score's gap from people's better to their worse answer, and lengths';
    `weight` is its share of its ranking.
    """

    conversation_id: str
    gap: float
    longer: int
    weight: float = 1.0


@dataclass(frozen=True)
class Accuracy:
    """A ranking's mean share of untied pairs ordered as people did, its 95 % interval, and what to
    hold it against.

    `longer_wins` is the accuracy of preferring the longer text; `calibration_error` the mean
    distance between stated probability and outcome, in ten bins; `conversations` the sample's size,
    of those that have an untied pair.
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
    ranks, texts = ranking.ranks, ranking.texts
    untied = [(i, j) for i, j in permutations(range(len(ranks)), 2) if ranks[i] < ranks[j]]
    pairs = []
    for better, worse in untied:
        longer = len(texts[better]) - len(texts[worse])
        gap = scores[better] - scores[worse]
        sign = (longer > 0) - (longer < 0)
        pairs.append(Judged(ranking.conversation_id, gap, sign, 1 / len(untied)))
    return pairs


def measure(pairs: Sequence[Judged]) -> Accuracy:
    """Accuracy over pairs; without any pair it is one half, with the interval 0 to 1."""
    if not pairs:
        return Accuracy(0.5, 0.0, 1.0, 0.5, 0.0, 0, 0)
    tallies: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for pair in pairs:
        right = (pair.gap > 0) + 0.5 * (pair.gap == 0)
        tallies[pair.conversation_id].append((pair.weight * right, pair.weight))
    of_conversations = [(sum(r for r, _ in t), sum(w for _, w in t)) for t in tallies.values()]
    share, low, high = clustered(of_conversations)
    weight = sum(p.weight for p in pairs)
    longer = sum(p.weight * (1 + p.longer) / 2 for p in pairs) / weight
    error = _calibration_error(pairs)
    return Accuracy(share, low, high, longer, error, len(pairs), len(tallies))


def _calibration_error(pairs: Sequence[Judged]) -> float:
    """Expected calibration error of sigmoid(|gap|) as the probability of having the order right."""
    bins: dict[int, float] = defaultdict(float)
    for pair in pairs:
        stated = _sigmoid(abs(pair.gap))
        bins[min(9, int((stated - 0.5) * 20))] += pair.weight * (stated - (pair.gap > 0))
    return sum(map(abs, bins.values())) / sum(p.weight for p in pairs)


def log_odds_scale(pairs: Sequence[Judged]) -> float:
    """What a gap is to be multiplied by to be the log-odds that people put the better one first.

    The maximum of the likelihood over pairs that the model has not seen (Platt 1999, without the
    offset), by bisection of its slope; between 0.05 and 20, so that chance leaves an order too.
    """
    low, high = 0.05, 20.0
    for _ in range(40):
        scale = math.sqrt(low * high)
        if sum(p.weight * p.gap * _sigmoid(-scale * p.gap) for p in pairs) > 0:
            low = scale
        else:
            high = scale
    return low


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, x))))
