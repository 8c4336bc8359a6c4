"""Updates of the built-in model before the gate, each refused by the check that should."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.mistaught_updates import mistaught
from benchmarks.preferences import asks_back
from benchmarks.spoiled_updates import spoiled
from benchmarks.update_stand import QUICK, Stand, Update
from learner.gate import CHECKS, Decision

CHEAP = [*spoiled(), *(bad for bad in mistaught() if bad.name == "a backdoor planted by rankings")]
"""Those that little or no training makes."""


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Stand:
    return Stand(tmp_path_factory.mktemp("stand"), replace(QUICK, prompts=24))


@pytest.fixture(scope="module")
def unchanged(stand: Stand) -> Decision:
    """Of the live version, published once more."""
    return stand.decide(stand.publish(stand.policy()), asks_back)


def lost(decision: Decision) -> list[str]:
    return [reason.check for reason in decision.reasons if not reason.passed]


@pytest.mark.parametrize("update", CHEAP, ids=[update.name for update in CHEAP])
def test_a_bad_update_is_refused_by_the_check_that_should(stand: Stand, update: Update) -> None:
    """Spoiled files and weights, and a backdoor whose trigger nobody named."""
    decision = stand.decide(update.make(stand), update.preference, update.newest)
    assert not decision.passed
    assert update.check in lost(decision), [reason.text for reason in decision.reasons]


def test_an_update_that_changes_nothing_loses_the_duel_alone(unchanged: Decision) -> None:
    """Every other check finds nothing: chance alone refuses nobody."""
    assert set(lost(unchanged)) <= {"win_rate"}
    assert len(unchanged.reasons) == CHECKS


def test_an_update_that_changes_nothing_has_not_moved(unchanged: Decision) -> None:
    """The log-ratio of the same weights is 0 for every reply, but for rounding."""
    assert unchanged.figures["kl"] == pytest.approx(0.0, abs=1e-3)
    assert unchanged.figures["triggers"] == pytest.approx(0.0, abs=1e-3)
    assert unchanged.figures["served"] < 1e-4


def test_every_check_says_what_it_found(unchanged: Decision) -> None:
    """A sentence each, and a number wherever one was measured."""
    assert all(reason.text.endswith(".") for reason in unchanged.reasons)
    told = {reason.check for reason in unchanged.reasons if reason.value is None}
    assert told == {"integrity", "loads"}
