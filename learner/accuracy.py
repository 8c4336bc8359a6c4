"""How well a reward model tells which of two answers people put first. Pure.

1. A ranking counts as in the loss, each of its untied pairs by its weight over their number.
   Counted by pairs, a careless ranking without ties would outweigh a considered one with many.
2. Rankings of one conversation hang together, so the interval is one over conversations.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import permutations
from statistics import correlation, fmean

from learner.interval import clustered
from learner.ranked_group import RankedGroup


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

    `longer_wins` is the accuracy of preferring the longer text; `conversations` the sample's size,
    of those that have an untied pair.
    """

    accuracy: float
    low: float
    high: float
    longer_wins: float
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
        pairs.append(Judged(ranking.conversation_id, gap, sign, ranking.weight / len(untied)))
    return pairs


def across_prompts(exam: Sequence[tuple[RankedGroup, Sequence[float]]]) -> list[Judged]:
    """A good answer and a bad one from two conversations, for prompts whose thumbs are all alike:
    without an answer beside it, one can only be told from another prompt's.

    Each conversation is in one pair at most, drawn at random, so that pairs are independent. All
    pairs of an up and a down would tell the same (the area under the ROC curve is their mean) more
    exactly, but hang together.
    """
    alone: dict[bool, dict[str, tuple[float, str]]] = {True: {}, False: {}}
    for ranking, scores in exam:
        if ranking.thumbs and len(set(ranking.thumbs)) == 1:
            found = alone[ranking.thumbs[0]]
            found.setdefault(ranking.conversation_id, (scores[0], ranking.texts[0]))
    bad_only = [id for id in alone[False] if id not in alone[True]]
    sides = [*alone[True].items()], [(id, alone[False][id]) for id in bad_only]
    for side in sides:
        random.Random(0).shuffle(side)
    pairs = []
    for (good, (above, text)), (bad, (below, other)) in zip(*sides, strict=False):
        longer = (len(text) > len(other)) - (len(text) < len(other))
        pairs.append(Judged(f"{good} {bad}", above - below, longer))
    return pairs


def measure(pairs: Sequence[Judged]) -> Accuracy:
    """Accuracy over pairs; without any pair it is one half, with the interval 0 to 1."""
    if not pairs:
        return Accuracy(0.5, 0.0, 1.0, 0.5, 0, 0)
    tallies: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for pair in pairs:
        right = (pair.gap > 0) + 0.5 * (pair.gap == 0)
        tallies[pair.conversation_id].append((pair.weight * right, pair.weight))
    of_conversations = [(sum(r for r, _ in t), sum(w for _, w in t)) for t in tallies.values()]
    share, low, high = clustered(of_conversations)
    weight = sum(p.weight for p in pairs)
    longer = sum(p.weight * (1 + p.longer) / 2 for p in pairs) / weight
    return Accuracy(share, low, high, longer, len(pairs), len(tallies))


def length_correlation(exam: Sequence[tuple[RankedGroup, Sequence[float]]]) -> float | None:
    """Spearman's correlation of score and length of text among one prompt's answers, the mean over
    prompts; None where none has both different lengths and different scores.

    Within a prompt, because answers to another one may be longer and better at once. How much of a
    reward model is length: Singhal et al. 2023 (2310.03716).
    """
    found = [
        correlation(_ranked([len(text) for text in ranking.texts]), _ranked(scores))
        for ranking, scores in exam
        if len(set(scores)) > 1 and len({len(text) for text in ranking.texts}) > 1
    ]
    return fmean(found) if found else None


def _ranked(values: Sequence[float]) -> list[float]:
    """Each value's place among all, least first; equal ones share the mean of their places."""
    return [sum((v < x) + 0.5 * (v == x) for v in values) for x in values]
