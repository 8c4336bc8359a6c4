"""Accuracy where a tie is an outcome too, by hand."""

from __future__ import annotations

import pytest

from learner.batching import Group
from learner.ranked_group import RankedGroup
from learner.ties import Compared, compared, tie_width, with_ties


def pair(order: int, gap: float, weight: float = 1.0, conversation: str = "c") -> Compared:
    return Compared(conversation, order, gap, weight)


def test_every_pair_of_a_ranking_counts() -> None:
    """Ranks 1, 1, 2 under scores 3, 1, 2: a tie, and two that the first of them should win."""
    ranking = RankedGroup("c", Group((1,), ((2,),) * 3), (1, 1, 2), ("", "", ""))
    found = list(compared(ranking, (3.0, 1.0, 2.0)))
    assert [(each.order, each.gap) for each in found] == [(0, 2.0), (1, 1.0), (1, -1.0)]
    assert sum(each.weight for each in found) == pytest.approx(1)


def test_pairs_share_their_rankings_weight() -> None:
    """Three pairs of a ranking that weighs a half."""
    ranking = RankedGroup("c", Group((1,), ((2,),) * 3), (1, 1, 2), ("", "", ""), weight=0.5)
    found = list(compared(ranking, (3.0, 1.0, 2.0)))
    assert [each.weight for each in found] == [pytest.approx(0.5 / 3)] * 3


def test_a_tie_is_foretold_by_scores_that_are_close() -> None:
    """Within a width of 1 both are alike; beyond it the higher one is better."""
    assert [pair(order, 0.5).right(1.0) for order in (-1, 0, 1)] == [False, True, False]
    assert [pair(order, 1.5).right(1.0) for order in (-1, 0, 1)] == [False, False, True]


def test_the_width_is_where_most_is_right() -> None:
    """Ties at gaps of .1, .4 and .9, and untied pairs at .5 and 2: up to .4 two ties are won and
    nothing lost; .9 would win one more and lose one.
    """
    pairs = [pair(0, 0.1), pair(0, -0.4), pair(1, 0.5), pair(0, 0.9), pair(-1, -2.0)]
    assert tie_width(pairs) == 0.4
    assert tie_width([]) == 0
    assert tie_width([pair(1, 0.5)]) == 0


def test_careless_rankings_do_not_drown_the_considered_ones() -> None:
    """Nine rankings of ties and one careless one, each pair scored alike: nine tenths are right,
    which is also what always saying tie gets; untied pairs alone would say nothing but noise.
    """
    pairs = [pair(0, 0.01, conversation=str(number)) for number in range(9)]
    found = with_ties([([*pairs, pair(1, -0.01, conversation="careless")], 0.1)])
    assert [found.accuracy, found.always_tied] == pytest.approx([0.9, 0.9])
    assert found.low < 0.9 < found.high


def test_each_side_has_its_own_width() -> None:
    """A gap of .5 is a tie under a width of 1 and none under .1."""
    found = with_ties([([pair(0, 0.5)], 1.0), ([pair(1, 0.5, conversation="d")], 0.1)])
    assert found.accuracy == 1


def test_without_pairs_nothing_is_known() -> None:
    """The interval is all there is."""
    assert (with_ties([]).low, with_ties([]).high) == (0.0, 1.0)
