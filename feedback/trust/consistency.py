"""Does a person say the same when asked again?"""

from __future__ import annotations

from collections.abc import Sequence

from .gold import Tally
from .judgements import Judgement, pair_orders


def self_consistency(judgements: Sequence[Judgement]) -> Tally:
    """One person's pairs that were asked for twice, and on how many the answer was the same, a tie
    being an answer like the others.
    """
    total = Tally()
    for judgement in judgements:
        if judgement.earlier is not None:
            before = dict(pair_orders(judgement.candidates, judgement.earlier))
            again = [(pair, said) for pair, said in judgement.orders() if pair in before]
            total += Tally(float(sum(before[pair] == said for pair, said in again)), len(again))
    return total
