"""Accuracy, its interval and what stands beside it, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from learner.accuracy import (
    Judged,
    across_prompts,
    judged_pairs,
    length_correlation,
    measure,
)
from learner.batching import Group
from learner.ranked_group import RankedGroup


def ranking(ranks: tuple[int, ...], texts: tuple[str, ...]) -> RankedGroup:
    return RankedGroup("c", Group((1,), ((2,),) * len(ranks)), ranks, texts)


def test_ties_are_no_pairs_and_gaps_point_from_better_to_worse() -> None:
    """Ranks 1, 1, 2: two untied pairs, each with the score of the better less that of the worse."""
    pairs = judged_pairs(ranking((1, 1, 2), ("long", "a", "bb")), (0.5, 2.0, 1.0))
    assert [(p.gap, p.longer, p.weight) for p in pairs] == [(-0.5, 1, 0.5), (1.0, -1, 0.5)]


def test_measure_counts_a_dead_heat_as_half() -> None:
    """Gaps 1, 0, -1, 2: 2.5 of 4 right; lengths +, 0, -, +: 2.5 of 4."""
    gaps = [(1.0, 1), (0.0, 0), (-1.0, -1), (2.0, 1)]
    result = measure([Judged(str(i), gap, longer) for i, (gap, longer) in enumerate(gaps)])
    assert result.accuracy == 0.625
    assert result.longer_wins == 0.625
    assert (result.pairs, result.conversations) == (4, 4)


def test_a_ranking_counts_once() -> None:
    """One ranking of a, b > c wholly right, one of a > b > c wholly wrong: a half of two, although
    it is two pairs against three.
    """
    right = judged_pairs(ranking((1, 1, 2), ("", "", "")), (1.0, 1.0, 0.0))
    wrong = judged_pairs(ranking((1, 2, 3), ("", "", "")), (0.0, 1.0, 2.0))
    assert measure(right + wrong).accuracy == pytest.approx(0.5)
    assert measure(right + wrong).pairs == 5


def test_a_ranking_counts_as_much_as_it_weighs() -> None:
    """One wholly right of weight 3 beside one wholly wrong of weight 1: three quarters."""
    heavy = replace(ranking((1, 2), ("", "")), weight=3.0)
    pairs = judged_pairs(heavy, (1.0, 0.0)) + judged_pairs(ranking((1, 2), ("", "")), (0.0, 1.0))
    assert measure(pairs).accuracy == 0.75


def test_length_is_correlated_within_a_prompt() -> None:
    """Lengths 1, 2, 3: places of the scores 1, 3, 2 give 1 - 6 * (0 + 1 + 1) / (3 * 8) = .5; the
    reverse order -1; their mean is -.25. Equal lengths, or equal scores, say nothing.
    """
    texts = ("a", "bb", "ccc")
    exam = [
        (ranking((1, 2, 3), texts), (0.1, 9.0, 0.3)),
        (ranking((1, 2, 3), texts), (3.0, 2.0, 1.0)),
        (ranking((1, 2, 3), ("a", "b", "c")), (1.0, 2.0, 3.0)),
        (ranking((1, 2, 3), texts), (1.0, 1.0, 1.0)),
    ]
    assert length_correlation(exam) == pytest.approx(-0.25)
    assert length_correlation(exam[2:]) is None


def test_equal_lengths_share_their_places() -> None:
    """Lengths 1, 2, 2 and scores 1, 2, 3: places 1, 2.5, 2.5 and 1, 2, 3 have .75 / sqrt(.75 * 1),
    which is .86603 (variances .75 and 1, covariance .75).
    """
    exam = [(ranking((1, 2, 3), ("a", "bb", "cc")), (1.0, 2.0, 3.0))]
    assert length_correlation(exam) == pytest.approx(0.8660254)


def test_no_pairs_say_nothing() -> None:
    """Chance, with the widest interval."""
    assert (measure([]).accuracy, measure([]).low, measure([]).high) == (0.5, 0.0, 1.0)


def test_a_thumb_alone_is_held_against_another_conversations() -> None:
    """Three conversations up, one of them down too, and two down: two pairs, each of a good answer
    and a bad one, no conversation twice. A prompt with both has pairs of its own, a ranking none.
    """

    def thumbed(conversation: str, score: float, *up: bool) -> tuple[RankedGroup, list[float]]:
        made = replace(ranking((1,) * len(up), ("",) * len(up)), conversation_id=conversation)
        return replace(made, thumbs=up), [score] * len(up)

    exam = [
        thumbed("a", 10.0, True),
        thumbed("b", 20.0, True, True),
        thumbed("c", 30.0, True),
        thumbed("a", 7.0, False),
        thumbed("d", 1.0, False),
        thumbed("e", 2.0, False),
        thumbed("f", 5.0, True, False),
        (ranking((1,), ("",)), [6.0]),
    ]
    pairs = across_prompts(exam)
    ends = [pair.conversation_id.split() for pair in pairs]
    assert {bad for _, bad in ends} == {"d", "e"}
    assert len({good for good, _ in ends}) == 2
    scores = {"a": 10.0, "b": 20.0, "c": 30.0, "d": 1.0, "e": 2.0}
    assert [pair.gap for pair in pairs] == [scores[good] - scores[bad] for good, bad in ends]
