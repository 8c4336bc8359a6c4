"""Intervals by hand, and how often they hold what they promise."""

from __future__ import annotations

import random

import pytest

from learner.interval import clustered, of_mean, wilson


def test_wilson_matches_the_textbook() -> None:
    """8 of 10: .4902 to .9433 (Newcombe 1998's method 3); nothing seen: 0 to 1."""
    assert wilson(0.8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0.5, 0) == (0.0, 1.0)


def test_few_clusters_are_one_observation_each() -> None:
    """Six right pairs of one ranking prove less than six of six: Wilson at n = 1 starts at .207."""
    assert clustered([(6, 6)])[1] == pytest.approx(1 / (1 + 1.96**2), abs=1e-9)
    assert clustered([(1, 1)] * 6)[1] == pytest.approx(6 / (6 + 1.96**2), abs=1e-9)


def test_clusters_of_one_trial_are_plain_observations() -> None:
    """30 of 50 single trials: Wilson's interval of 49 (the variance is the unbiased one)."""
    found = clustered([(1, 1)] * 30 + [(0, 1)] * 20)
    assert found == pytest.approx((0.6, *wilson(0.6, 49)), abs=1e-9)


def test_trials_that_agree_within_their_cluster_are_one_observation() -> None:
    """Six trials each, all of them right or all wrong, prove what one trial each would."""
    six = clustered([(6, 6)] * 30 + [(0, 6)] * 20)
    assert six == pytest.approx(clustered([(1, 1)] * 30 + [(0, 1)] * 20), abs=1e-9)


def test_no_spread_is_as_many_observations_as_trials() -> None:
    """Every cluster at one half: what 100 independent trials would say, and no more."""
    assert clustered([(2, 4)] * 25) == pytest.approx((0.5, *wilson(0.5, 100)), abs=1e-9)


def test_nothing_seen_says_nothing() -> None:
    assert clustered([]) == (0.5, 0.0, 1.0)


@pytest.mark.parametrize("trials", [1, 6, 16])
def test_nineteen_of_twenty_intervals_hold_the_truth(trials: int) -> None:
    """Each cluster has a share of its own, .6 on average; 40 clusters, 400 times over."""
    rng = random.Random(trials)
    held = 0
    for _ in range(400):
        shares = [rng.betavariate(1.2, 0.8) for _ in range(40)]
        wins = [(sum(rng.random() < share for _ in range(trials)), trials) for share in shares]
        _, low, high = clustered(wins)
        held += low <= 0.6 <= high
    assert 0.92 <= held / 400 <= 0.98


def test_a_mean_has_the_interval_of_its_spread() -> None:
    """Fifty of .4 and fifty of .6: deviation .1 of a hundred, 1.96 * .1 / 10 (99 for 100 below)."""
    mean, low, high = of_mean([0.4, 0.6] * 50)
    assert mean == pytest.approx(0.5)
    assert high - mean == mean - low == pytest.approx(0.0196 * (100 / 99) ** 0.5)


def test_a_mean_of_few_is_a_share_of_few() -> None:
    assert of_mean([0.5] * 4)[1:] == pytest.approx(wilson(0.5, 4))
