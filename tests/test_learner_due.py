"""When a round starts by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedback.store import Store
from learner.due import trigger_of
from learner.settings import LearnerSettings
from tests.feedback_databases import a_generation, execute

SETTINGS = LearnerSettings(rankings_per_round=1)


@pytest.mark.parametrize(("failed", "rest_s"), [(1, 60), (2, 120), (3, 240), (9, 3600)])
def test_after_failures_a_round_is_asked_for_later_and_later(
    tmp_path: Path, failed: int, rest_s: int
) -> None:
    """60 s, twice as long after each further failure (60 * 2^2 = 240), and an hour at most. A
    ranking waits all the while.
    """
    url = f"sqlite:///{tmp_path / 'rankloop.db'}"
    store = Store.open(url)
    store.install_base(digest="d0")
    store.record_generation(a_generation())
    store.add_ranking(person="ann", candidates=["c1-0", "c1-1"], ranks=[1, 2])
    for _ in range(failed):
        store.request_round(trigger="rankings", actor="learner")
        claim = store.claim_round("learner", 60)
        assert claim is not None
        store.finish_round(claim, outcome="failed", error="no luck")
    _age(url, rest_s - 30)
    assert trigger_of(store, SETTINGS) is None
    _age(url, 31)
    assert trigger_of(store, SETTINGS) == "rankings"
    store.close()


def _age(url: str, seconds: int) -> None:
    """The rounds ended so much earlier."""
    execute(url, f"UPDATE round SET decided_at = decided_at - {seconds}")
