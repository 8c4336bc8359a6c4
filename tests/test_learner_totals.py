"""A step's metrics out of those of its minibatches."""

from __future__ import annotations

from learner.totals import Totals, together


def test_of_ratios_the_largest_is_told_and_of_the_rest_the_mean() -> None:
    """KL (1 + 3) / 2 = 2, ratio 5, gap .5."""
    parts = [{"kl": 1.0, "ratio_max": 5.0, "ratio_gap": 0.1}]
    parts.append({"kl": 3.0, "ratio_max": 2.0, "ratio_gap": 0.5})
    assert together(parts) == {"kl": 2.0, "ratio_max": 5.0, "ratio_gap": 0.5}


def test_a_part_of_more_replies_weighs_more() -> None:
    """3 replies of KL 1 and one of KL 5: 2 on the mean."""
    assert together([{"kl": 1.0}, {"kl": 5.0}], [3, 1]) == {"kl": 2.0}


def test_a_minibatch_that_is_not_finite_is_counted_and_left_out() -> None:
    """Of KL 1, NaN and 3 the mean is 2; the gap is the first minibatch's, the ratio the largest."""
    total = Totals()
    for kl, gap, ratio in ((1.0, 0.25, 2.0), (float("nan"), 9.0, 9.0), (3.0, 0.5, 4.0)):
        total.add({"kl": kl, "ratio_gap": gap, "ratio_max": ratio})
    assert total.means() == {
        "kl": 2.0,
        "ratio_max": 4.0,
        "first_ratio_gap": 0.25,
        "skipped": 1.0,
    }


def test_a_step_without_a_finite_minibatch_says_only_that() -> None:
    """No mean of nothing."""
    total = Totals()
    total.add({"kl": float("inf"), "ratio_gap": 0.0, "ratio_max": 1.0})
    assert total.means() == {"skipped": 1.0}
    assert total.mean("kl") == 0.0
