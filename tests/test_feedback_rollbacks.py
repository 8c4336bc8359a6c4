"""What a rollback takes with it, through the store, on both databases."""

from __future__ import annotations

import pytest

from feedback.errors import LeaseLost, NothingToRollBack, PointerMoved
from feedback.records import Claim
from feedback.store import Store
from tests.feedback_databases import a_generation, execute


@pytest.fixture(autouse=True)
def _versions(store: Store) -> None:
    store.install_base(digest="digest of v0")
    store.register_version("v1", digest="d", parent="v0", kind="full", state="verified")
    store.promote("v1", actor="ann", reason="better")


def rank(store: Store, prompt: str, version: str) -> int:
    record = a_generation(f"{version} {prompt}", prompt=prompt, version=version)
    store.record_generation(record)
    done = store.add_ranking(person="bob", completion_id=record.id, ranks=[1, 2, 3, 4])
    return done.id


def claimed(store: Store) -> Claim:
    store.request_round(trigger="operator", actor="ann")
    claim = store.claim_round("learner", ttl_s=60)
    assert claim is not None
    return claim


def test_the_round_that_runs_is_over_and_can_publish_nothing(store: Store) -> None:
    """Its claim's epoch is no longer the lease's: every write of the learner is refused."""
    claim = claimed(store)
    store.register_version(
        "v2", digest="e", parent="v1", kind="full", round_id=claim.round_id, claim=claim
    )
    done = store.rollback(actor="ann", reason="rude")
    assert (done.live.version, done.version, done.round_id) == ("v0", "v1", claim.round_id)
    with pytest.raises(LeaseLost):
        store.promote("v2", actor="learner", reason="passed", claim=claim)
    round = store.round(claim.round_id)
    assert (round.state, round.error) == ("cancelled", "v1 was rolled back: rude")
    assert store.version("v2").state == "failed"


def test_the_next_round_is_claimed_at_once(store: Store) -> None:
    """Nobody waits for the lease of the one that was ended."""
    first = claimed(store)
    store.rollback(actor="ann", reason="rude")
    second = claimed(store)
    assert second.round_id > first.round_id
    assert second.epoch > first.epoch


def test_a_round_that_only_waits_goes_on_waiting(store: Store) -> None:
    """It has begun from nothing yet."""
    asked = store.request_round(trigger="operator", actor="ann")
    assert store.rollback(actor="ann", reason="rude").round_id is None
    assert store.round(asked.id).state == "queued"


def test_rankings_of_the_bad_version_are_set_aside_if_wanted(store: Store) -> None:
    """Two were of its answers: neither is learned from nor waits, and the version says how many."""
    kept = rank(store, "a", "v0")
    for prompt in ("b", "c"):
        rank(store, prompt, "v1")
    assert store.rollback(actor="ann", reason="poisoned", set_aside=True).set_aside == 2
    assert [ranked.ranking_id for ranked in store.training_rankings()] == [kept]
    assert store.waiting().count == 1
    assert store.version("v1").set_aside == 2
    assert len(store.telling_rankings()) == 3


def test_without_it_they_go_on_teaching(store: Store) -> None:
    """What people said of bad answers is true of them."""
    rank(store, "b", "v1")
    assert store.rollback(actor="ann", reason="rude").set_aside == 0
    assert len(store.training_rankings()) == 1


def test_each_is_a_row_with_who_and_why(store: Store, url: str) -> None:
    """And so is that it was taken back."""
    id = rank(store, "b", "v1")
    store.rollback(actor="ann", reason="poisoned", set_aside=True)
    store.readmit("v1", actor="eve", reason="it was not them")
    row = execute(url, "SELECT ranking_id, version_id, actor, lifted_by FROM set_aside")
    assert [tuple(row) for row in row] == [(id, "v1", "ann", "eve")]


def test_what_is_readmitted_waits_again_unless_a_round_has_used_it(store: Store) -> None:
    """One of two was learned from before."""
    used = rank(store, "b", "v1")
    claim = claimed(store)
    store.use_rankings(claim, [used])
    store.finish_round(claim, outcome="needs_feedback")
    rank(store, "c", "v1")
    store.set_aside("v1", actor="ann", reason="poisoned")
    assert store.waiting().count == 0
    assert store.readmit("v1", actor="ann", reason="they were fine") == 2
    assert store.waiting().count == 1
    assert len(store.training_rankings()) == 2


def test_set_aside_again_is_harmless(store: Store) -> None:
    """Nothing more is set aside the second time."""
    rank(store, "b", "v1")
    assert store.set_aside("v1", actor="ann", reason="poisoned") == 1
    assert store.set_aside("v1", actor="ann", reason="poisoned") == 0


def test_nothing_is_ended_where_there_is_nothing_to_return_to(store: Store) -> None:
    """The refusal leaves the round running."""
    store.rollback(actor="ann", reason="rude")
    claim = claimed(store)
    with pytest.raises(NothingToRollBack):
        store.rollback(actor="ann", reason="again")
    store.renew(claim, ttl_s=60)


def test_two_servers_that_find_one_version_broken_roll_back_once(store: Store) -> None:
    """Both read the pointer before either acts: the second must not take v0, and v1, with it."""
    store.register_version("v2", digest="e", parent="v1", kind="full", state="verified")
    seen = store.promote("v2", actor="ann", reason="better").epoch
    first = store.rollback(actor="server", reason="damaged", epoch=seen)
    assert (first.version, first.live.version) == ("v2", "v1")
    with pytest.raises(PointerMoved, match="moved on to v1"):
        store.rollback(actor="server", reason="damaged", epoch=seen)
    assert store.live().version == "v1"
