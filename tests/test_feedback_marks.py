"""feedback.marks, through the store, on both databases."""

from __future__ import annotations

import math

import pytest

from feedback.errors import IdempotencyConflict, InvalidMark, StoreError, UnknownCandidate
from feedback.preferences import MarkedPrompt
from feedback.store import Store
from tests.feedback_databases import a_generation


@pytest.fixture(autouse=True)
def _generations(store: Store) -> None:
    """Two completions of one prompt, one of another prompt, and one that nobody may learn from."""
    store.record_generation(a_generation("c1"))
    store.record_generation(a_generation("c2", version="v1"))
    store.record_generation(a_generation("other", prompt="bye"))
    store.record_generation(a_generation("private", prompt="secret", consented=False))


def thumb(store: Store, candidate: str, up: bool = True, person: str = "ann") -> int:
    """The stored thumb's id."""
    return store.add_marks(person=person, candidate=candidate, values={"thumb": float(up)}).id


def said(prompts: list[MarkedPrompt]) -> list[tuple[str, list[str], dict[str, object]]]:
    """Who, of which candidates, what."""
    return [(p.person, [a.candidate_id for a in p.answers], dict(p.values)) for p in prompts]


def test_ratings_come_back_as_they_were_given(store: Store) -> None:
    """By criterion; nothing was replaced."""
    stored = store.add_marks(person="ann", candidate="c1-0", values={"helpful": 6, "honest": 2.5})
    assert (stored.candidate, stored.values) == ("c1-0", {"helpful": 6, "honest": 2.5})
    assert (stored.supersedes, stored.repeated) == ({}, False)


def test_a_change_of_mind_supersedes_criterion_by_criterion(store: Store) -> None:
    """The later rating by "helpful" counts, and the earlier one by "honest"; another person's word
    is their own.
    """
    first = store.add_marks(person="ann", candidate="c1-0", values={"helpful": 6, "honest": 2})
    second = store.add_marks(person="ann", candidate="c1-0", values={"helpful": 1})
    store.add_marks(person="bob", candidate="c1-0", values={"helpful": 7})
    assert second.supersedes == {"helpful": first.id}
    assert said(store.training_marks(["helpful", "honest"])) == [
        ("ann", ["c1-0"], {"honest": (2.0,), "helpful": (1.0,)}),
        ("bob", ["c1-0"], {"helpful": (7.0,)}),
    ]


def test_one_persons_marks_of_one_prompt_are_one_group(store: Store) -> None:
    """Over its completions; None where nothing was said of an answer; only the criteria asked."""
    thumb(store, "c1-1")
    thumb(store, "other-0")
    thumb(store, "c2-0", up=False)
    store.add_marks(person="ann", candidate="c1-0", values={"helpful": 3})
    store.add_marks(person="ann", candidate="c1-0", values={"honest": 3})
    assert said(store.training_marks(["thumb", "helpful"])) == [
        (
            "ann",
            ["c1-1", "c2-0", "c1-0"],
            {"thumb": (1.0, 0.0, None), "helpful": (None, None, 3.0)},
        ),
        ("ann", ["other-0"], {"thumb": (1.0,)}),
    ]
    [prompt, _] = store.training_marks(["thumb"])
    assert (prompt.prompt_ids, prompt.conversation_id) == ((104, 105), "conversation of c1")


def test_a_retry_with_the_same_key_is_harmless(store: Store) -> None:
    """The same rows again; with another value, or another candidate, a conflict."""
    body = {"person": "ann", "candidate": "c1-0", "idempotency_key": "once"}
    first = store.add_marks(values={"helpful": 6, "honest": 2}, **body)
    again = store.add_marks(values={"honest": 2, "helpful": 6}, **body)
    assert (again.id, again.values, again.repeated) == (first.id, first.values, True)
    with pytest.raises(IdempotencyConflict):
        store.add_marks(values={"helpful": 5}, **body)
    with pytest.raises(IdempotencyConflict):
        store.add_marks(values={"thumb": 1}, **{**body, "candidate": "c1-1"})
    assert len(store.training_marks(["helpful"])) == 1


def test_what_cannot_be_a_mark_is_refused(store: Store) -> None:
    """An unknown candidate, no mark, one that is no number."""
    with pytest.raises(UnknownCandidate) as unknown:
        thumb(store, "nobody-0")
    assert (unknown.value.param, unknown.value.value) == ("candidate", "nobody-0")
    for values in ({}, {"helpful": math.nan}):
        with pytest.raises(InvalidMark):
            store.add_marks(person="ann", candidate="c1-0", values=values)
    assert store.training_marks(["helpful"]) == []


def test_thumbs_wait_by_person_and_prompt_until_a_round_is_done(store: Store) -> None:
    """Two of Ann's on one prompt, one on another, one of Bob's: three; what nobody may learn from
    and ratings wait for nothing. A round that failed has used none.
    """
    ids = [thumb(store, "c1-0"), thumb(store, "c2-1", up=False), thumb(store, "other-0")]
    thumb(store, "c1-0", person="bob")
    thumb(store, "private-0")
    store.add_marks(person="eve", candidate="c1-0", values={"helpful": 3})
    assert store.waiting_thumbs().count == 3
    for outcome, left in (("failed", 3), ("rejected", 1)):
        store.request_round(trigger="operator", actor="ada")
        claim = store.claim_round("me", 60.0)
        assert claim is not None
        store.use_marks(claim, ids)
        store.use_marks(claim, ids)
        store.finish_round(claim, outcome=outcome)
        assert store.waiting_thumbs().count == left
    age = store.waiting_thumbs().oldest_age_s
    assert age is not None
    assert 0 <= age < 60


def test_a_round_cannot_use_what_nobody_consented_to(store: Store) -> None:
    """By its id, and it is not among what there is to learn from either."""
    id = thumb(store, "private-0")
    store.request_round(trigger="operator", actor="ada")
    claim = store.claim_round("me", 60.0)
    assert claim is not None
    with pytest.raises(StoreError, match=f"mark {id} is unknown, or its people did not consent"):
        store.use_marks(claim, [id])
    assert store.training_marks(["thumb"]) == []
