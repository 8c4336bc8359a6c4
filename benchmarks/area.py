"""How well scores tell good from bad: the area under the ROC curve, and how sure that is. Pure."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES = 1000


@dataclass(frozen=True)
class Area:
    """The chance that a good reply scores above a bad one, ties half, and its 95 % interval."""

    auc: float
    low: float
    high: float


def auc(scores: Sequence[float], good: Sequence[bool]) -> float:
    """From the sum of the good ones' ranks (Mann and Whitney 1947); one half without both."""
    order = sorted(range(len(scores)), key=lambda i: scores[i])
    ranks = [0.0] * len(scores)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and scores[order[end]] == scores[order[start]]:
            end += 1
        for i in order[start:end]:
            ranks[i] = (start + end + 1) / 2
        start = end
    positives = sum(good)
    negatives = len(good) - positives
    if not positives or not negatives:
        return 0.5
    above = sum(rank for rank, is_good in zip(ranks, good, strict=True) if is_good)
    return (above - positives * (positives + 1) / 2) / (positives * negatives)


def area(scores: Sequence[float], good: Sequence[bool], keys: Sequence[str], seed: int = 0) -> Area:
    """With the interval of a bootstrap over keys: replies to one context hang together."""
    rows: dict[str, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        rows[key].append(place)
    clusters, rng = list(rows.values()), random.Random(seed)
    found = []
    for _ in range(RESAMPLES):
        drawn = [i for rows in rng.choices(clusters, k=len(clusters)) for i in rows]
        found.append(auc([scores[i] for i in drawn], [good[i] for i in drawn]))
    found.sort()
    return Area(auc(scores, good), found[RESAMPLES // 40], found[-RESAMPLES // 40 - 1])
