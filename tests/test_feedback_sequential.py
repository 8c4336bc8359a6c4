"""feedback.sequential: an interval that may be looked at at any time."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from feedback.sequential import CONCENTRATION, Tally, better, interval


def test_nothing_is_known_before_the_first_comparison() -> None:
    """Ties say nothing of who is better."""
    assert interval(Tally(0, 0, 9), 0.05) == (0.0, 1.0)


def test_an_end_is_where_the_evidence_reaches_one_over_the_error() -> None:
    """With a = 4 and ten wins of ten, M(p) = B(14, 4) / B(4, 4) / p^10. B(a, b) is
    1 / (b C(a + b - 1, b)): B(4, 4) = 1 / (4 x 35) = 1 / 140, B(14, 4) = 1 / (4 x 2380) = 1 / 9520.
    M = 20 at p^10 = 140 / 9520 / 20 = 7.353e-4, so p = .4860.
    """
    assert CONCENTRATION == 4
    assert (comb(7, 4), comb(17, 4)) == (35, 2380)
    low, high = interval(Tally(10, 0, 0), 0.05)
    assert low == pytest.approx(7.353e-4**0.1, abs=1e-4)
    assert high == 1.0


def test_it_is_the_same_from_the_other_side() -> None:
    """Losses are the other's wins."""
    low, high = interval(Tally(30, 12, 0), 0.05)
    assert interval(Tally(12, 30, 0), 0.05) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(
    ("wins", "losses", "expected"), [(30, 10, True), (10, 30, False), (22, 18, None)]
)
def test_a_lead_decides_where_one_half_is_ruled_out(
    wins: int, losses: int, expected: bool | None
) -> None:
    """30 of 40 do, 22 of 40 do not."""
    assert better(Tally(wins, losses, 3), 0.05, least=20) is expected


def test_few_comparisons_decide_nothing() -> None:
    """19 of 19 would be sure enough, but 20 were asked for."""
    assert better(Tally(19, 0, 40), 0.05, least=20) is None
    assert better(Tally(20, 0, 40), 0.05, least=20) is True


def test_equal_versions_are_seldom_told_apart_however_often_one_looks() -> None:
    """Of 400 trials between equals, looked at after each of 200 comparisons, at most 5 % may ever
    be decided; a test at 5 % made anew each time would decide about 40 %.
    """
    rng = np.random.default_rng(1)
    decided = 0
    for wins in (rng.random((400, 200)) < 0.5).cumsum(axis=1):
        looks = ((int(won), place + 1 - int(won)) for place, won in enumerate(wins))
        decided += any(better(Tally(w, losses, 0), 0.05, 20) is not None for w, losses in looks)
    assert decided / 400 <= 0.05
