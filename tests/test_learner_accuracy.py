"""Accuracy, its interval and what stands beside it, by hand."""

from __future__ import annotations

import math

import pytest

from learner.accuracy import Judged, judged_pairs, log_odds_scale, measure
from learner.batching import Group
from learner.reward import RankedGroup


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


def test_calibration_error_of_overconfidence() -> None:
    """Gaps of +-50 claim certainty; right half the time, the claim is off by one half."""
    result = measure([Judged("a", 50.0, 0), Judged("b", -50.0, 0)])
    assert result.calibration_error == pytest.approx(0.5, abs=1e-6)


def test_no_pairs_say_nothing() -> None:
    """Chance, with the widest interval."""
    assert (measure([]).accuracy, measure([]).low, measure([]).high) == (0.5, 0.0, 1.0)


def test_the_scale_is_that_of_the_outcomes() -> None:
    """Gaps of 1, three of four right: log-odds of log 3 for each unit of gap."""
    pairs = [Judged(str(i), gap, 0) for i, gap in enumerate([1.0, 1.0, 1.0, -1.0])]
    assert log_odds_scale(pairs) == pytest.approx(math.log(3), rel=1e-4)


@pytest.mark.parametrize(("gap", "scale"), [(1.0, 20.0), (-1.0, 0.05)])
def test_the_scale_has_bounds(gap: float, scale: float) -> None:
    """All right, or all wrong: neither certainty nor the reverse order."""
    assert log_odds_scale([Judged("a", gap, 0)]) == pytest.approx(scale, rel=1e-4)
