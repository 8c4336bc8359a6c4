"""Does a person say the same when asked again?"""

from __future__ import annotations

from collections.abc import Sequence

from .gold import Tally
from .judgements import Judgement


def self_consistency(judgements: Sequence[Judgement]) -> Tally:
    """One person's pairs that were asked for twice, and on how many the answer was the same, a tie
    being an answer like the others.
    """
    earlier, total = {judgement.ranking_id: judgement for judgement in judgements}, Tally()
    for judgement in judgements:
        if judgement.repeats in earlier:
            before = dict(earlier[judgement.repeats].orders())
            again = [(pair, said) for pair, said in judgement.orders() if pair in before]
            total += Tally(float(sum(before[pair] == said for pair, said in again)), len(again))
    return total
