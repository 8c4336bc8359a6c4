"""feedback.standings: is it getting better?"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, sqrt
from typing import Any

import pytest

from feedback.compared import compare
from feedback.preferences import Answer, RankedPrompt
from feedback.records import LearnedFrom, Reason, RoundInfo, VersionInfo
from feedback.standings import Standing, standings

ODDS_60 = log(0.6 / 0.4)


def version(id: str, round_id: int | None) -> VersionInfo:
    return VersionInfo(
        id, "full", "live", "d", None, round_id, None, {}, 0.0, (), LearnedFrom(0, 0)
    )


def a_round(id: int, rate: float | None) -> RoundInfo:
    """A round whose gate expected this share of wins, give or take .05."""
    low, high = (None, None) if rate is None else (rate - 0.05, rate + 0.05)
    reason = Reason("win_rate", True, rate, 0.5, "", low, high)
    more: dict[str, Any] = dict.fromkeys(
        ("stage", "step", "steps", "eta_s", "version_id", "reward_id", "reward", "error")
    )
    return RoundInfo(
        id=id,
        state="done",
        outcome="promoted",
        trigger="rankings",
        stages=None,
        rankings=0,
        demonstrations=0,
        reasons=(reason,),
        created_at=0.0,
        claimed_at=0.0,
        decided_at=0.0,
        attempts=1,
        cancel_requested=False,
        **more,
    )


def ranked(number: int, *versions: str) -> RankedPrompt:
    """One answer of each, the best one first."""
    answers = tuple(Answer(f"{number}-{v}", "same", (), v) for v in versions)
    ranks = tuple(range(1, len(versions) + 1))
    return RankedPrompt(number, "c", "ann", "train", (), (), answers, ranks)


def of(rates: Sequence[float | None], rankings: Sequence[RankedPrompt] = ()) -> list[Standing]:
    """v0, v1, ... of which each was live when the next one's round ran."""
    versions = [version("v0", None), *(version(f"v{i}", i) for i in range(1, len(rates) + 1))]
    rounds = {i: a_round(i, rate) for i, rate in enumerate(rates, 1)}
    was_live = {i: f"v{i - 1}" for i in rounds}
    return standings(versions, rounds, was_live, compare(rankings))


def test_the_starting_model_is_compared_with_nothing() -> None:
    """It was there first."""
    (v0,) = of([])
    assert (v0.previous, v0.people.over_base, v0.model.over_base) == (None, None, None)


def test_the_gates_duel_is_the_rate_over_the_version_before() -> None:
    """With its interval; of the first version it is the rate over v0 as well."""
    _, v1 = of([0.6])
    rate = v1.model.over_previous
    assert rate is not None
    assert (rate.value, rate.low, rate.high) == pytest.approx((0.6, 0.55, 0.65))
    assert v1.model.over_base is not None
    assert v1.model.over_base.value == pytest.approx(0.6)


def test_duels_on_the_way_add_up_in_log_odds() -> None:
    """Two times 60:40 are 36:16, which is .692; the deviations add in squares."""
    v2 = of([0.6, 0.6])[2]
    rate = v2.model.over_base
    assert rate is not None
    assert rate.value == pytest.approx(36 / 52)
    half = (log(0.65 / 0.35) - log(0.55 / 0.45)) / 2
    expected = 2 * ODDS_60 - sqrt(2) * half
    assert rate.low == pytest.approx(1 / (1 + exp(-expected)))


def test_where_a_duel_is_missing_nothing_is_said_of_the_way() -> None:
    """A round that fine-tunes has no judge."""
    _, v1, v2 = of([None, 0.6])
    assert v1.model.over_previous is None
    assert v2.model.over_base is None
    assert v2.model.over_previous is not None


def test_people_say_more_the_more_they_compared() -> None:
    """v2 above v1 above v0 in thirty rankings: the interval lies above one half, over both."""
    v0, v1, v2 = of([0.5, 0.5], [ranked(i, "v2", "v1", "v0") for i in range(30)])
    assert v0.people.over_base is None
    assert v2.people.over_base is not None
    assert v2.people.over_previous is not None
    assert v2.people.over_previous.low > 0.5
    assert v2.people.over_base.value > v2.people.over_previous.value
    # Each of thirty rankings compares v1 with two others.
    assert v1.pairs == 60


def test_nobody_has_compared_it() -> None:
    """Then people say nothing of it, whatever the model says."""
    _, v1 = of([0.6])
    assert v1.people.over_base is None
    assert v1.pairs == 0
