"""Which weights a round goes on from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from feedback.records import Reason
from feedback.store import Store
from learner.lineage import reference_of, start_of


@pytest.fixture(autouse=True)
def _base(store: Store) -> None:
    store.install_base("v0", digest="0" * 64)


def decided(
    store: Store,
    parent: str,
    rate: float,
    *,
    regression: bool = True,
    figures: Mapping[str, Any] | None = None,
) -> str:
    """A round that made a version of this expected win rate; the gate is sure above .55."""
    store.request_round(actor="test", trigger="operator")
    claim = store.claim_round("learner", 60.0)
    assert claim is not None
    id = store.next_id("v")
    store.register_version(
        id,
        digest=id * 8,
        parent=parent,
        kind="full",
        round_id=claim.round_id,
        figures=figures,
        claim=claim,
    )
    reasons = (
        Reason("regression", regression, 0.8, 0.7, "right answers"),
        Reason("win_rate", rate > 0.55, rate, 0.5, "expected wins"),
    )
    passed = all(reason.passed for reason in reasons)
    store.finish_round(
        claim, outcome="promoted" if passed else "rejected", reasons=reasons, version_id=id
    )
    return id


def test_rounds_start_from_the_live_version(store: Store) -> None:
    """Where nothing has led over it since: at first, and after a version that trails."""
    assert start_of(store, "v0") == "v0"
    decided(store, "v0", 0.49)
    assert start_of(store, "v0") == "v0"


def test_what_led_is_gone_on_from(store: Store) -> None:
    """The last one that led, also where one round from it trails; one made from it counts too."""
    first = decided(store, "v0", 0.52)
    assert start_of(store, "v0") == first
    decided(store, first, 0.48)
    assert start_of(store, "v0") == first
    second = decided(store, first, 0.53)
    assert start_of(store, "v0") == second


def test_three_rounds_without_a_lead_give_it_up(store: Store) -> None:
    """It may stand where nothing leads on, at the limit of KL for one."""
    first = decided(store, "v0", 0.52)
    decided(store, first, 0.48)
    decided(store, first, 0.49)
    assert start_of(store, "v0") == first
    decided(store, first, 0.48)
    assert start_of(store, "v0") == "v0"


def test_people_can_refuse_a_start(store: Store) -> None:
    """By rejecting what the gate had rejected already."""
    first = decided(store, "v0", 0.52)
    store.reject(first, actor="ada", reason="it is rude")
    assert start_of(store, "v0") == "v0"


def test_what_forgot_is_not(store: Store) -> None:
    """However much people would like it."""
    decided(store, "v0", 0.7, regression=False)
    assert start_of(store, "v0") == "v0"


def test_a_promotion_begins_anew(store: Store) -> None:
    """What led over the version before says nothing about the new one; after a rollback it does
    again, and what was rolled back is no start."""
    led = decided(store, "v0", 0.52)
    live = decided(store, led, 0.6)
    assert store.live().version == live
    assert start_of(store, live) == live
    store.rollback(actor="test", reason="worse than it looked")
    assert start_of(store, "v0") == led


def test_an_apprentice_goes_on_from_what_it_has_become(store: Store) -> None:
    """Nobody is answered by what is in the shadow, but the next round begins there; once a person
    has rejected it, the one before is the start.
    """
    for parent, id in (("v0", "v1"), ("v1", "v2")):
        store.request_round(actor="test", trigger="operator")
        claim = store.claim_round("learner", 60.0)
        assert claim is not None
        store.register_version(
            id, digest=id, parent=parent, kind="full", round_id=claim.round_id, claim=claim
        )
        store.finish_round(claim, outcome="shadow", version_id=id)
        assert start_of(store, "v0") == id
    assert store.live().version == "v0"
    store.reject("v2", actor="test", reason="not like this")
    assert start_of(store, "v0") == "v1"


TUNED = {"stage": "sft"}


def test_the_starting_model_is_the_reference(store: Store) -> None:
    """However many rankings have been learned from since."""
    assert reference_of(store, "v0") == "v0"
    assert reference_of(store, decided(store, "v0", 0.6)) == "v0"


def test_a_fine_tuned_version_is_the_reference_from_its_promotion_on(store: Store) -> None:
    """Of what serves, and of all that is made from it; the later one of two."""
    first = decided(store, "v0", 0.6, figures=TUNED)
    assert reference_of(store, first) == first
    assert reference_of(store, decided(store, first, 0.6)) == first
    second = decided(store, first, 0.6, figures=TUNED)
    assert reference_of(store, second) == second


def test_one_that_was_not_promoted_is_none(store: Store) -> None:
    """The gate rejected it: v0 stays live, and what rounds are held near."""
    decided(store, "v0", 0.6, regression=False, figures=TUNED)
    assert reference_of(store, store.live().version) == "v0"


def test_one_that_was_rolled_back_is_none(store: Store) -> None:
    """Nor is it for a version that was made from it, and that people make live again."""
    tuned = decided(store, "v0", 0.6, figures=TUNED)
    later = decided(store, tuned, 0.6)
    store.reject(tuned, actor="ada", reason="it talks like a parrot")
    assert store.live().version == later
    assert reference_of(store, later) == "v0"


def test_the_reference_is_what_the_live_version_was_made_from(store: Store) -> None:
    """People go back to a version that was not made from what was fine-tuned since."""
    before = decided(store, "v0", 0.6)
    decided(store, "v0", 0.6, figures=TUNED)
    store.promote(before, actor="ada", reason="people liked it better")
    assert reference_of(store, store.live().version) == "v0"
