"""Confidence held against outcomes, by hand."""

from __future__ import annotations

import math

import pytest

from learner.accuracy import Judged
from learner.calibration import Bet, bets, calibration, cross_fitted, log_odds_scale


def test_a_gap_states_a_probability() -> None:
    """At log 3 for each unit, a gap of 1 is 3 to 1 and of 2 is 9 to 1, whichever way it points; a
    dead heat is even, and half won.
    """
    pairs = [Judged("a", gap, 0, weight) for gap, weight in [(1.0, 0.5), (-2.0, 1.0), (0.0, 1.0)]]
    found = bets(pairs, math.log(3))
    assert [bet.stated for bet in found] == pytest.approx([0.75, 0.9, 0.5])
    assert [(bet.won, bet.weight) for bet in found] == [(1.0, 0.5), (0.0, 1.0), (0.5, 1.0)]


@pytest.mark.parametrize(("won", "error"), [(3, 0.0), (2, 0.25), (0, 0.75)])
def test_three_to_one_is_to_win_three_of_four(won: int, error: float) -> None:
    """Four bets at .75 of which so many are won."""
    found = calibration([Bet(0.75, float(number < won), 1.0) for number in range(4)])
    assert found.error == pytest.approx(error)
    assert found.bins[0] == pytest.approx((0.75, won / 4, 1.0))


def test_bins_count_by_their_weight() -> None:
    """A quarter stated .55 and won 1, off by .45; three quarters stated .95 and won 2/3, off by
    .28333: .1125 + .2125 = .325.
    """
    sure = [Bet(0.95, won, 1.0) for won in (1.0, 1.0, 0.0)]
    found = calibration([*sure, Bet(0.55, 1.0, 1.0)])
    assert found.error == pytest.approx(0.325)
    assert [share for _, _, share in found.bins] == [0.25, 0.75]


def test_certainty_is_in_the_last_bin() -> None:
    """One half begins the first; 1 has no bin of its own."""
    found = calibration(
        [Bet(0.5, 1.0, 1.0), Bet(0.59, 0.0, 1.0), Bet(0.91, 1.0, 1.0), Bet(1, 1, 1)]
    )
    assert [share for _, _, share in found.bins] == [0.5, 0.5]


def test_no_pair_is_judged_on_a_scale_that_it_helped_to_fit() -> None:
    """The scale of a is log 3 (three of four right) and that of b the largest, 20: a's bets are
    made at 20, b's at 3 to 1.
    """
    of_a = [Judged("a", gap, 0) for gap in (1.0, 1.0, 1.0, -1.0)]
    found = cross_fitted([*of_a, Judged("b", 1.0, 0, weight=7.0)])
    assert [bet.stated for bet in found if bet.weight == 7] == pytest.approx([0.75], rel=1e-4)
    assert [bet.stated for bet in found if bet.weight == 1] == pytest.approx([1.0] * 4)


def test_no_bets_say_nothing() -> None:
    """No error and no bins."""
    assert (calibration([]).error, calibration(cross_fitted([])).bins) == (0, ())


def test_the_scale_is_that_of_the_outcomes() -> None:
    """Gaps of 1, three of four right: log-odds of log 3 for each unit of gap."""
    pairs = [Judged(str(i), gap, 0) for i, gap in enumerate([1.0, 1.0, 1.0, -1.0])]
    assert log_odds_scale(pairs) == pytest.approx(math.log(3), rel=1e-4)


@pytest.mark.parametrize(("gap", "scale"), [(1.0, 20.0), (-1.0, 0.05)])
def test_the_scale_has_bounds(gap: float, scale: float) -> None:
    """All right, or all wrong: neither certainty nor the reverse order."""
    assert log_odds_scale([Judged("a", gap, 0)]) == pytest.approx(scale, rel=1e-4)
