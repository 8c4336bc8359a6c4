"""The bench's figures, against numbers worked out by hand."""

from __future__ import annotations

import pytest

from benchmarks.judgement import WinRate, largest_gap, mean_kl, wilson


def test_ties_count_neither_for_nor_against() -> None:
    """Three wins, one loss and two ties are a rate of 3/4 over four untied prompts."""
    win = WinRate.of([(1, 0), (2, 1), (0.5, 0), (0, 1), (1, 1), (0, 0)])
    assert (win.wins, win.losses, win.ties, win.untied) == (3, 1, 2, 4)
    assert win.rate == 0.75


def test_nothing_untied_says_nothing() -> None:
    """Without an untied prompt the rate is one half and the interval everything."""
    win = WinRate.of([(1, 1), (0, 0)])
    assert win.rate == 0.5
    assert win.interval == (0.0, 1.0)


def test_wilson_interval_of_160_of_200() -> None:
    """By hand: z²/n = .0192073; centre .8096036, spread .0562619, both over 1.0192073."""
    low, high = wilson(160, 200)
    assert low == pytest.approx(0.739145, abs=1e-6)
    assert high == pytest.approx(0.849548, abs=1e-6)


def test_wilson_interval_stays_within_bounds() -> None:
    """All of ten: 1 is the upper end, and the lower is 10 / (10 + z²) = 10 / 13.841459."""
    low, high = wilson(10, 10)
    assert high == pytest.approx(1.0)
    assert low == pytest.approx(10 / 13.841459, abs=1e-6)


def test_kl_sums_over_tokens_and_averages_over_replies() -> None:
    """Log-ratios .5 + .25 = .75 in one reply and -.25 in the other: a mean of .25 nats."""
    live = [[-1.0, -0.5], [-2.0]]
    base = [[-1.5, -0.75], [-1.75]]
    assert mean_kl(live, base) == pytest.approx(0.25)


def test_largest_gap_is_the_worst_token() -> None:
    """Differences of .1, .3 and 0: the gap is .3."""
    assert largest_gap([-1.0, -2.0, -3.0], [-1.1, -1.7, -3.0]) == pytest.approx(0.3)
