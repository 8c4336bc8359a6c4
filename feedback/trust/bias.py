"""What pulls at a person besides what an answer says: that it was shown first, that it is longest.

Both are shares of comparisons, a tie counting half; one half is no pull. Of length that holds only
where better answers are no longer ones: hold a person's share against the others'.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .gold import Tally
from .judgements import Judgement, order


def first_shown(judgements: Iterable[Judgement]) -> Tally:
    """How often the answer that was shown first was put above another one."""
    total = Tally()
    for judgement in judgements:
        if judgement.shown is not None:
            first = judgement.shown.index(min(judgement.shown))
            total += _above_others(judgement, first, range(len(judgement.ranks)))
    return total


def longest(judgements: Iterable[Judgement]) -> Tally:
    """How often the longest answer was put above a shorter one."""
    total = Tally()
    for judgement in judgements:
        most = max(judgement.lengths)
        shorter = [place for place, length in enumerate(judgement.lengths) if length < most]
        total += _above_others(judgement, judgement.lengths.index(most), shorter)
    return total


def _above_others(judgement: Judgement, one: int, others: Sequence[int]) -> Tally:
    rank = judgement.ranks[one]
    if rank is None:
        return Tally()
    ranks = [judgement.ranks[place] for place in others if place != one]
    said = [order(rank, other) for other in ranks if other is not None]
    return Tally(sum((1 + word) / 2 for word in said), len(said))
