"""How well a reward model tells better, worse and alike. Pure.

Untied pairs alone mislead once a version does what people want: considered rankings of its answers
are then ties throughout, and careless ones are most of what is left to be right about. Here a tie
is an outcome like the two others, foretold where two scores lie within a width of each other:
pairwise accuracy with tie calibration (Deutsch, Foster and Freitag 2023, "Ties Matter",
2305.14324). They fit the width where they measure; here it comes from the other model's rankings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from learner.interval import clustered
from learner.ranked_group import RankedGroup


@dataclass(frozen=True)
class Compared:
    """One pair of a ranking's answers: `order` is 1 where people put the first one first, 0 for a
    tie, else -1; `gap` the first one's score less the second's; `weight` its share of its ranking.
    """

    conversation_id: str
    order: int
    gap: float
    weight: float

    def right(self, width: float) -> bool:
        """Whether the scores say what people said; within `width` they say that both are alike."""
        if abs(self.gap) <= width:
            return self.order == 0
        return self.order * self.gap > 0


@dataclass(frozen=True)
class TieAccuracy:
    """A ranking's mean share of pairs told as people did, with its 95 % interval; `always_tied` is
    the share that calling every pair a tie would get.
    """

    accuracy: float
    low: float
    high: float
    always_tied: float


def compared(ranking: RankedGroup, scores: Sequence[float]) -> Iterator[Compared]:
    """All pairs of a ranking under these scores."""
    ranks = ranking.ranks
    pairs = list(combinations(range(len(ranks)), 2))
    for i, j in pairs:
        order = (ranks[i] < ranks[j]) - (ranks[i] > ranks[j])
        weight = ranking.weight / len(pairs)
        yield Compared(ranking.conversation_id, order, scores[i] - scores[j], weight)


def tie_width(pairs: Sequence[Compared]) -> float:
    """The width under which most is told right; the least such, and 0 for no pairs."""
    best, width, gained = 0.0, 0.0, 0.0
    for pair in sorted(pairs, key=lambda pair: abs(pair.gap)):
        gained += pair.weight * ((pair.order == 0) - (pair.order * pair.gap > 0))
        if gained > best:
            best, width = gained, abs(pair.gap)
    return width


def with_ties(sides: Sequence[tuple[Sequence[Compared], float]]) -> TieAccuracy:
    """Over pairs, each side's with its own width; without any pair it is one half, from 0 to 1."""
    tallies: dict[str, list[tuple[float, float]]] = defaultdict(list)
    tied = 0.0
    for pairs, width in sides:
        for pair in pairs:
            tallies[pair.conversation_id].append((pair.weight * pair.right(width), pair.weight))
            tied += pair.weight * (pair.order == 0)
    if not tallies:
        return TieAccuracy(0.5, 0.0, 1.0, 0.0)
    of_conversations = [(sum(r for r, _ in t), sum(w for _, w in t)) for t in tallies.values()]
    return TieAccuracy(*clustered(of_conversations), tied / sum(w for _, w in of_conversations))
