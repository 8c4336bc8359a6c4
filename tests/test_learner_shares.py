"""One person's marks and demonstrations in a round, from the record to the reason."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from feedback.records import Claim
from feedback.store import Store
from feedback.trust.settings import TrustSettings
from learner.shares import Shares
from tests.exchanged import brought
from tests.feedback_databases import a_generation
from tests.test_feedback_training import claim
from tests.test_learner_round import Product

SETTINGS = TrustSettings(cap=4)


@pytest.fixture
def held(store: Store) -> Claim:
    """Ann and bob have shown two answers each and given two thumbs, eve thirty; a round is
    claimed."""
    for number, person in enumerate(["ann"] * 2 + ["bob"] * 2 + ["eve"] * 30):
        store.record_generation(a_generation(f"c{number}", prompt=f"{number}", n=2))
        store.add_marks(person=person, candidate=f"c{number}-0", values={"thumb": 1.0})
        turns = (("user", f"{number}"), ("assistant", "Yes."))
        store.add_demonstration(person=person, messages=turns, conversation_id=f"s{number}")
    return claim(store)


def test_what_is_too_much_is_on_record_and_waits_no_longer(store: Store, held: Claim) -> None:
    """Four of eve's thirty count of either kind; the round counts what it held back and says so.
    Whoever goes on with the round finds the same.
    """
    shares = Shares(store, held, SETTINGS)
    shown = shares.demonstrations(store.training_demonstrations())
    marked = shares.marked(store.training_marks(["thumb"]))
    for kept in (shown, marked):
        assert Counter(one.person for one in kept) == {"ann": 2, "bob": 2, "eve": 4}
    assert shares.demonstrations(store.training_demonstrations()) == shown
    info = store.round(held.round_id)
    assert (info.held_back, info.left_out) == (52, 0)
    note = shares.note()
    assert note is not None
    assert (note.check, note.passed, note.value) == ("shares", True, 52.0)
    assert store.waiting_demonstrations().count == 8


def test_what_was_imported_counts_in_full(store: Store, held: Claim) -> None:
    """As an operator's word."""
    rows = [{"prompt": f"{n}", "completion": "Yes."} for n in range(20)]
    assert brought(store, "trl-prompt-completion", rows).imported == 20
    kept = Shares(store, held, SETTINGS).demonstrations(store.training_demonstrations())
    assert sum(one.source == "imported" for one in kept) == 20


def test_a_round_of_demonstrations_learns_what_counts(tmp_path: Path) -> None:
    """Of 40 that one of three people shows ten are learned from, and the round says so."""
    product = Product(tmp_path)
    product.show(40)
    for number, person in enumerate(("bob", "cid", "dan")):
        product.rank(1, seed=number, person=person)
    round_ = product.round("sft")
    assert round_.state == "done", round_.error
    assert (round_.demonstrations, round_.held_back) == (10, 30)
    assert round_.reasons[0].check == "shares"
