"""feedback.presence, through the store, on both databases."""

from __future__ import annotations

import pytest

from feedback.store import Store
from tests.feedback_databases import execute


def test_before_its_first_heartbeat_the_learner_is_starting(store: Store) -> None:
    """Nothing else is known of it."""
    info = store.learner()
    assert (info.state, info.paused, info.heartbeat_age_s) == ("starting", False, None)
    assert (info.holder, info.lease, info.round_id) == (None, None, None)


def test_a_heartbeat_says_what_the_learner_does(store: Store) -> None:
    """The last one counts, whole: an error that is over is gone."""
    store.heartbeat(holder="box:7", state="idle", last_error="out of memory")
    store.heartbeat(holder="box:7", state="running", next_run_at=99.5, missing="2 GB of memory")
    info = store.learner()
    assert (info.state, info.holder, info.next_run_at) == ("running", "box:7", 99.5)
    assert (info.last_error, info.missing) == (None, "2 GB of memory")
    assert info.heartbeat_age_s == pytest.approx(0, abs=5)


@pytest.mark.parametrize(("age_s", "state"), [(20, "idle"), (31, "dead")])
def test_a_learner_that_was_silent_for_30_seconds_is_dead(
    store: Store, url: str, age_s: int, state: str
) -> None:
    """20 s are well within, 31 s are over."""
    store.heartbeat(holder="box:7", state="idle")
    execute(url, "UPDATE learner SET heartbeat_at = heartbeat_at - :age", age=age_s)
    assert store.learner().state == state


def test_the_running_round_and_its_lease_are_shown(store: Store) -> None:
    """For as long as the lease lasts."""
    store.request_round(trigger="operator", actor="ann")
    claim = store.claim_round("box:7", ttl_s=60)
    assert claim is not None
    info = store.learner()
    assert info.round_id == claim.round_id
    assert info.lease is not None
    assert (info.lease.holder, info.lease.epoch) == ("box:7", 1)
    assert info.lease.expires_in_s == pytest.approx(60, abs=5)


def test_a_paused_learner_claims_no_round_until_it_is_resumed(store: Store) -> None:
    """The round waits in the queue, and heartbeats do not undo the pause."""
    store.request_round(trigger="operator", actor="ann")
    store.pause("ann")
    store.heartbeat(holder="box:7", state="idle")
    assert store.claim_round("box:7", ttl_s=60) is None
    assert store.learner().state == "paused"
    store.resume("ann")
    assert store.learner().state == "idle"
    assert store.claim_round("box:7", ttl_s=60) is not None


def test_a_pause_lets_the_running_round_go_on(store: Store) -> None:
    """It is shown as running, and as paused for afterwards."""
    store.request_round(trigger="operator", actor="ann")
    claim = store.claim_round("box:7", ttl_s=60)
    assert claim is not None
    store.heartbeat(holder="box:7", state="running")
    store.pause("ann")
    info = store.learner()
    assert (info.state, info.paused) == ("running", True)
    store.progress(claim, stage="ppo", step=1, steps=2)
