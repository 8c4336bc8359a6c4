"""How often a person is right, from gold and from agreement, and how sure of that one is.

A person is held against what the others said, each by their own skill, and not against what all
said: of two people who differ, expectation-maximisation believes one almost wholly, and with two
people to a question it put a third of an honest crowd in the wrong.

The pairs of one ranking hang together: those of K answers count as K - 1 pieces of evidence, which
is how many comparisons it takes to order them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .dawid_skene import Votes, chance_of_yes, one_coin
from .judgements import Judgement, Pair, pair_orders

Z = 3.0
"""Deviations that chance is given: one in a thousand, because everybody is looked at, and because a
careless ranking is wrong in several pairs at once.
"""


@dataclass(frozen=True)
class Skill:
    """`right` of `evidence` sure comparisons; `rankings` of theirs could be checked."""

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
    votes = votes_of(judgements)
    told = one_coin(votes).skills
    found: dict[str, Skill] = defaultdict(lambda: NOTHING)
    for judgement in judgements:
        checks = [*_checks(judgement, votes, told)]
        if checks:
            seen, each = found[judgement.person], _evidence(judgement) / len(checks)
            found[judgement.person] = Skill(
                seen.right + each * sum(sure for sure, agrees in checks if agrees),
                seen.evidence + each * sum(sure for sure, _ in checks),
                seen.rankings + 1,
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
    return {_key(pair): votes for pair, votes in said.items() if len(votes) > 1}


def _key(pair: Pair) -> str:
    """A pair as the name of a question."""
    return "\n".join(pair)


def _checks(
    judgement: Judgement, votes: Votes, told: Mapping[str, float]
) -> Iterator[tuple[float, bool]]:
    """Of each untied pair that can be checked, how sure the right order is, 0 to 1, and whether
    it was said. Gold comes first, and then the others: the person's own word is no evidence.
    """
    gold = dict(pair_orders(judgement.candidates, judgement.gold)) if judgement.gold else {}
    for pair, word in judgement.orders():
        if word and gold.get(pair):
            yield 1.0, word == gold[pair]
        elif word and _key(pair) in votes:
            said = {p: vote for p, vote in votes[_key(pair)].items() if p != judgement.person}
            yes = chance_of_yes(said, told)
            yield abs(2 * yes - 1), (yes > 0.5) == (word > 0)


def _evidence(judgement: Judgement) -> float:
    return sum(rank is not None for rank in judgement.ranks) - 1.0
