"""Accuracy, its interval and what stands beside it, by hand."""

from __future__ import annotations

import pytest

from learner.accuracy import Judged, judged_pairs, measure, wilson
from learner.batching import Group
from learner.reward import RankedGroup


def ranking(ranks: tuple[int, ...], texts: tuple[str, ...]) -> RankedGroup:
    return RankedGroup("c", Group((1,), ((2,),) * len(ranks)), ranks, texts)


def test_ties_are_no_pairs_and_gaps_point_from_better_to_worse() -> None:
    """Ranks 1, 1, 2: two untied pairs, each with the score of the better less that of the worse."""
    pairs = judged_pairs(ranking((1, 1, 2), ("long", "a", "bb")), (0.5, 2.0, 1.0))
    assert [(p.gap, p.longer) for p in pairs] == [(-0.5, 1), (1.0, -1)]


def test_measure_counts_a_dead_heat_as_half() -> None:
    """Gaps 1, 0, -1, 2: 2.5 of 4 right; lengths +, 0, -, +: 2.5 of 4."""
    gaps = [(1.0, 1), (0.0, 0), (-1.0, -1), (2.0, 1)]
    result = measure([Judged(str(i), gap, longer) for i, (gap, longer) in enumerate(gaps)])
    assert result.accuracy == 0.625
    assert result.longer_wins == 0.625
    assert (result.pairs, result.conversations) == (4, 4)


def test_pairs_of_one_conversation_are_one_observation() -> None:
    """Six right pairs of one ranking prove less than six of six: Wilson at n = 1 starts at .207."""
    one = measure([Judged("c", 1.0, 0)] * 6)
    six = measure([Judged(str(i), 1.0, 0) for i in range(6)])
    assert one.low == pytest.approx(1 / (1 + 1.96**2), abs=1e-9)
    assert six.low == pytest.approx(6 / (6 + 1.96**2), abs=1e-9)


def test_wilson_matches_the_textbook() -> None:
    """8 of 10: .4902 to .9433 (Newcombe 1998's method 3); nothing seen: 0 to 1."""
    assert wilson(0.8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0.5, 0) == (0.0, 1.0)


def test_calibration_error_of_overconfidence() -> None:
    """Gaps of +-50 claim certainty; right half the time, the claim is off by one half."""
    result = measure([Judged("a", 50.0, 0), Judged("b", -50.0, 0)])
    assert result.calibration_error == pytest.approx(0.5, abs=1e-6)


def test_no_pairs_say_nothing() -> None:
    """Chance, with the widest interval."""
    assert (measure([]).accuracy, measure([]).low, measure([]).high) == (0.5, 0.0, 1.0)
