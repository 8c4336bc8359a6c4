"""How often a person is right, from gold and from agreement, and how sure of that one is.

The pairs of one ranking hang together: those of K answers count as K - 1 pieces of evidence, which
is how many comparisons it takes to order them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from .dawid_skene import Told, one_coin
from .judgements import Judgement, Pair, pair_orders

Z = 3.0
"""Deviations that chance is given: one in a thousand, because everybody is looked at, and because a
careless ranking is wrong in several pairs at once.
"""


@dataclass(frozen=True)
class Skill:
    """`right` of `evidence` comparisons, as expected; `rankings` of theirs could be checked."""

    right: float
    evidence: float
    rankings: int

    @property
    def value(self) -> float:
        """The share that is right; one half of nothing."""
        return self.right / self.evidence if self.evidence else 0.5

    @property
    def high(self) -> float:
        """The upper end of Wilson's interval, of Z deviations."""
        if not self.evidence:
            return 1.0
        n, share = self.evidence, self.value
        spread = Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n * n))
        return (share + Z**2 / (2 * n) + spread) / (1 + Z**2 / n)


NOTHING = Skill(0.0, 0.0, 0)


def skills(judgements: Sequence[Judgement]) -> dict[str, Skill]:
    """Of everybody who ranked gold, or what others ranked too."""
    told = one_coin(votes_of(judgements))
    found: dict[str, Skill] = defaultdict(lambda: NOTHING)
    for judgement in judgements:
        right = _rights(judgement, told)
        if right:
            seen, evidence = found[judgement.person], _evidence(judgement)
            found[judgement.person] = Skill(
                seen.right + evidence * fmean(right), seen.evidence + evidence, seen.rankings + 1
            )
    return dict(found)


def votes_of(judgements: Iterable[Judgement]) -> dict[str, dict[str, bool]]:
    """By pair of candidates that two or more people ordered, who put the first one above: a
    person's last word counts, and ties are left out.
    """
    said: dict[Pair, dict[str, bool]] = defaultdict(dict)
    for judgement in judgements:
        for pair, word in judgement.orders():
            if word:
                said[pair][judgement.person] = word > 0
    return {"\n".join(pair): votes for pair, votes in said.items() if len(votes) > 1}


def _rights(judgement: Judgement, told: Told) -> list[float]:
    """The probability of being right of each untied pair that can be checked; gold comes first."""
    gold: Mapping[Pair, int] = {}
    if judgement.gold is not None:
        gold = dict(pair_orders(judgement.candidates, judgement.gold))
    found = []
    for pair, word in judgement.orders():
        if gold.get(pair):
            found.append((1 + word * gold[pair]) / 2)
        elif word and "\n".join(pair) in told.yes:
            yes = told.yes["\n".join(pair)]
            found.append(yes if word > 0 else 1 - yes)
    return found


def _evidence(judgement: Judgement) -> float:
    return sum(rank is not None for rank in judgement.ranks) - 1.0
