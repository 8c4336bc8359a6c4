"""feedback.rounds, through the store, on both databases."""

from __future__ import annotations

import math

import pytest

from feedback.errors import IllegalMove, LeaseLost, UnknownRound
from feedback.records import Claim, Failures, Reason
from feedback.store import Store


@pytest.fixture(autouse=True)
def _base(store: Store) -> None:
    store.install_base(digest="d0")


def claim(store: Store, ttl_s: float = 60.0) -> Claim:
    """A claim on the open round, or on a new one."""
    store.request_round(trigger="operator", actor="ann")
    claim = store.claim_round("learner", ttl_s)
    assert claim is not None
    return claim


def trained(store: Store, held: Claim) -> str:
    """A version that the round has made."""
    id = store.next_id("v")
    store.register_version(
        id, digest=id, parent="v0", kind="full", round_id=held.round_id, claim=held
    )
    return id


def test_a_requested_round_is_queued(store: Store) -> None:
    """With its trigger and stages, and nothing else yet."""
    info = store.request_round(trigger="operator", stages=["reward"], actor="ann")
    assert (info.state, info.outcome, info.trigger) == ("queued", None, "operator")
    assert (info.stages, info.claimed_at, info.decided_at) == (("reward",), None, None)
    assert store.round(info.id) == info


def test_a_second_request_gives_the_round_that_is_open(store: Store) -> None:
    """While it is queued, and while it runs; afterwards there is a new one."""
    first = store.request_round(trigger="operator", actor="ann")
    assert store.request_round(trigger="rankings", actor="learner").id == first.id
    held = claim(store)
    assert store.request_round(trigger="rankings", actor="learner").id == first.id
    store.finish_round(held, outcome="needs_feedback")
    assert store.request_round(trigger="rankings", actor="learner").id == first.id + 1


def test_without_a_round_there_is_nothing_to_claim(store: Store) -> None:
    """And the lease stays free."""
    assert store.claim_round("learner", ttl_s=60) is None
    assert store.learner().lease is None


def test_progress_is_seen(store: Store) -> None:
    """Stage, step of steps and the time that is left."""
    held = claim(store)
    store.progress(held, stage="ppo", step=3, steps=10, eta_s=12.5)
    info = store.round(held.round_id)
    assert (info.state, info.stage, info.step, info.steps) == ("running", "ppo", 3, 10)
    assert info.eta_s == 12.5


def test_figures_of_a_step_add_up_and_the_last_of_a_name_counts(store: Store) -> None:
    """A round that is taken over writes a step again; NaN is kept as "no number"."""
    held = claim(store)
    store.add_metrics(held, stage="ppo", step=1, values={"kl": 1.0, "reward": math.nan})
    store.add_metrics(held, stage="ppo", step=2, values={"kl": 3.0})
    store.add_metrics(held, stage="ppo", step=1, values={"kl": 2.0})
    points = store.metrics(held.round_id)
    assert [(point.stage, point.step, point.values) for point in points] == [
        ("ppo", 1, {"kl": 2.0, "reward": None}),
        ("ppo", 2, {"kl": 3.0}),
    ]


def test_a_promotion_and_the_end_of_its_round_are_one_step(store: Store) -> None:
    """The version is live, the reasons are on record, the lease is free."""
    held = claim(store)
    id = trained(store, held)
    reason = Reason("win_rate", True, 0.61, 0.5, "win rate .61 over v0, above .5")
    reward = {"accuracy": 0.9, "low": 0.8}
    info = store.finish_round(
        held, outcome="promoted", reasons=[reason], version_id=id, reward_id="r1", reward=reward
    )
    assert (info.state, info.outcome, info.version_id, info.reward_id) == (
        "done",
        "promoted",
        id,
        "r1",
    )
    assert (info.reasons, info.reward, info.error) == ((reason,), reward, None)
    assert info.decided_at is not None
    assert info.claimed_at is not None
    assert info.claimed_at <= info.decided_at
    assert store.live().version == id
    moves = [(move.to_state, move.reason) for move in store.version(id).events]
    assert moves == [
        ("trained", f"trained by round {held.round_id}"),
        ("verified", reason.text),
        ("live", reason.text),
    ]
    assert store.learner().lease is None


def test_a_version_that_the_learner_promoted_itself_stays_live(store: Store) -> None:
    """Finishing the round afterwards moves nothing twice."""
    held = claim(store)
    id = trained(store, held)
    live = store.promote(id, actor="learner", reason="passed", claim=held)
    store.finish_round(held, outcome="promoted", version_id=id)
    assert store.live() == live


def test_a_version_that_people_took_back_before_its_round_ended_is_not_promoted_again(
    store: Store,
) -> None:
    """The learner's word does not undo a rollback, which ended its round."""
    held = claim(store)
    id = trained(store, held)
    store.promote(id, actor="learner", reason="passed", claim=held)
    store.rollback(actor="ann", reason="rude")
    with pytest.raises(LeaseLost):
        store.finish_round(held, outcome="promoted", version_id=id)
    assert store.live().version == "v0"
    with pytest.raises(IllegalMove, match="only a person"):
        store.promote(id, actor="learner", reason="passed", claim=claim(store))


@pytest.mark.parametrize(
    ("outcome", "state", "round_state"),
    [
        ("rejected", "rejected", "done"),
        ("verified", "verified", "done"),
        ("canary", "canary", "done"),
        ("shadow", "shadow", "done"),
        ("failed", "failed", "failed"),
        ("cancelled", "failed", "cancelled"),
    ],
)
def test_the_outcome_settles_the_rounds_version(
    store: Store, outcome: str, state: str, round_state: str
) -> None:
    """No version of a round that is over stays merely trained, and v0 serves on."""
    held = claim(store)
    id = trained(store, held)
    info = store.finish_round(held, outcome=outcome, version_id=id, error="a reason")
    assert (info.state, info.outcome, info.error) == (round_state, outcome, "a reason")
    assert store.version(id).state == state
    assert store.live().version == "v0"


def test_what_an_abandoned_attempt_left_behind_is_failed(store: Store) -> None:
    """The first attempt trained v1 and died; the second trained v2 and it went live."""
    left = trained(store, claim(store, ttl_s=0.3))
    while (second := store.claim_round("two", ttl_s=60)) is None:
        pass
    id = trained(store, second)
    store.finish_round(second, outcome="promoted", version_id=id)
    assert [store.version(id).state for id in (left, id)] == ["failed", "live"]


def test_a_round_that_was_abandoned_three_times_is_given_up(store: Store) -> None:
    """It may be what kills the learner: the fourth claim ends it as failed."""
    for _ in range(3):
        held = claim(store, ttl_s=0.0)
    assert store.claim_round("learner", ttl_s=60) is None
    info = store.round(held.round_id)
    assert (info.state, info.outcome, info.attempts) == ("failed", "failed", 3)
    assert info.error == "abandoned 3 times by a learner that died or stalled"


def test_a_queued_round_is_cancelled_at_once(store: Store) -> None:
    """Again is harmless, and nobody can claim it."""
    id = store.request_round(trigger="operator", actor="ann").id
    assert store.cancel_round(id, "ann").state == "cancelled"
    assert store.cancel_round(id, "ann").outcome == "cancelled"
    assert store.claim_round("learner", ttl_s=60) is None


def test_a_running_round_is_asked_to_stop(store: Store) -> None:
    """Its holder sees it at its next look, and ends the round."""
    held = claim(store)
    assert not store.cancelled(held)
    info = store.cancel_round(held.round_id, "ann")
    assert (info.state, info.cancel_requested) == ("running", True)
    assert store.cancelled(held)
    assert store.finish_round(held, outcome="cancelled").state == "cancelled"


def test_a_round_whose_learner_died_is_cancelled_at_once(store: Store) -> None:
    """Nobody is there to be asked."""
    held = claim(store, ttl_s=0.0)
    assert store.cancel_round(held.round_id, "ann").state == "cancelled"


def test_a_round_cancelled_before_its_learner_died_is_not_taken_over(store: Store) -> None:
    """The next claim ends it instead."""
    held = claim(store, ttl_s=0.3)
    store.cancel_round(held.round_id, "ann")
    while store.round(held.round_id).state == "running":
        assert store.claim_round("two", ttl_s=60) is None
    assert store.round(held.round_id).outcome == "cancelled"


def test_a_round_that_is_over_cannot_be_cancelled(store: Store) -> None:
    """The refusal says what it is."""
    held = claim(store)
    store.finish_round(held, outcome="needs_feedback")
    with pytest.raises(IllegalMove, match=f"round {held.round_id} is over: done"):
        store.cancel_round(held.round_id, "ann")


def test_rounds_are_listed_newest_first(store: Store) -> None:
    """And no more than were asked for."""
    for _ in range(3):
        store.finish_round(claim(store), outcome="needs_feedback")
    ids = [info.id for info in store.rounds()]
    assert ids == sorted(ids, reverse=True)
    assert [info.id for info in store.rounds(2)] == ids[:2]


def test_unknown_rounds_are_named(store: Store) -> None:
    """Whatever is asked of them."""
    for ask in (
        lambda: store.round(9),
        lambda: store.metrics(9),
        lambda: store.cancel_round(9, "ann"),
    ):
        with pytest.raises(UnknownRound, match="9") as refused:
            ask()
        assert (refused.value.param, refused.value.value) == ("round", 9)


def test_a_round_that_is_handed_back_is_claimed_at_once(store: Store) -> None:
    """Under a new epoch, before the lease would have run out, as often as it takes: none of four
    counts as one of its three attempts.
    """
    id = store.request_round(trigger="operator", actor="ann").id
    for epoch in (1, 2, 3, 4):
        held = claim(store)
        assert (held.round_id, held.epoch) == (id, epoch)
        store.hand_back(held, counted=False)
        with pytest.raises(LeaseLost):
            store.progress(held, stage="ppo", step=1, steps=2)
    assert store.round(id).attempts == 0


def test_an_attempt_that_the_database_ended_counts(store: Store) -> None:
    """Three of them are enough: the fourth claim ends the round."""
    for _ in range(3):
        held = claim(store)
        store.hand_back(held, counted=True)
    assert store.claim_round("learner", 60) is None
    assert store.round(held.round_id).state == "failed"


def test_failures_are_counted_since_the_last_success(store: Store) -> None:
    """Failed, done, failed, cancelled, failed: two in a row."""
    assert store.failures() == Failures(0, None)
    for outcome in ("failed", "needs_feedback", "failed", "cancelled", "failed"):
        store.finish_round(claim(store), outcome=outcome)
    failures = store.failures()
    assert failures.count == 2
    assert failures.age_s is not None
    assert 0 <= failures.age_s < 60
