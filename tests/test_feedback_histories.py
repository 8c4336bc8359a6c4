"""feedback.histories, through the store, on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from feedback.errors import NotFound
from feedback.records import GenerationRecord
from feedback.store import Store
from tests.feedback_databases import a_generation

Turns = tuple[tuple[str, str], ...]


def of(id: str, messages: Turns, at: float, n: int = 2) -> GenerationRecord:
    """A generation of the conversation "talk"."""
    record = a_generation(id, at=at, n=n)
    return replace(record, conversation_id="talk", messages=messages)


def outline(store: Store) -> list[tuple[str, str | None]]:
    """Each turn's text with that of the turn that it answers."""
    turns = store.conversation("talk", "ann")
    texts = {turn.id: turn.text for turn in turns}
    return [(turn.text, texts.get(turn.parent or "")) for turn in turns]


def test_a_conversation_goes_on_from_the_chosen_answer(store: Store) -> None:
    """The second request's messages hold answer 1, which is the turn on record, with its rank."""
    store.record_generation(of("c1", (("user", "hi"),), 1.0))
    store.add_ranking(person="ann", completion_id="c1", ranks=[2, 1])
    later = (("user", "hi"), ("assistant", "answer 1"), ("user", "more"))
    store.record_generation(of("c2", later, 2.0, n=1))
    assert outline(store) == [
        ("hi", None),
        ("answer 0", "hi"),
        ("answer 1", "hi"),
        ("more", "answer 1"),
        ("answer 0", "more"),
    ]
    chosen = store.conversation("talk", "ann")[2]
    assert (chosen.candidate, chosen.version, chosen.rank, chosen.at) == ("c1-1", "v0", 1, 1.0)


def test_a_message_that_was_edited_is_a_branch(store: Store) -> None:
    """Two second messages answer one first answer."""
    for id, text in (("c1", "hi"), ("c2", "hi"), ("c3", "hi")):
        more: Turns = () if id == "c1" else (("assistant", "answer 0"), ("user", f"more {id}"))
        store.record_generation(of(id, (("user", text), *more), float(id[1]), n=1))
    parents = [parent for text, parent in outline(store) if text.startswith("more")]
    assert parents == ["answer 0", "answer 0"]


def test_the_conversation_that_went_on_last_comes_first(store: Store) -> None:
    """By its first message, however long: 80 characters of it, with spaces for line ends."""
    store.record_generation(replace(of("c1", (("user", "a\n" + "b" * 90),), 1.0)))
    store.record_generation(a_generation("c2", prompt="other", at=2.0))
    store.record_generation(of("c3", (("user", "again"),), 3.0))
    first, second = store.conversations("ann")
    assert (first.id, first.created_at, first.updated_at, first.answers) == ("talk", 1.0, 3.0, 2)
    assert first.title == "a " + "b" * 77 + "…"
    assert (second.title, second.answers) == ("other", 1)
    assert [each.id for each in store.conversations("ann", limit=1)] == ["talk"]


def test_a_history_is_ones_own(store: Store) -> None:
    """Another person's conversation, and answers that are listed nowhere, are not found."""
    store.record_generation(of("c1", (("user", "hi"),), 1.0))
    store.record_generation(replace(of("c2", (("user", "secret"),), 2.0), listed=False))
    assert store.conversations("bob") == []
    with pytest.raises(NotFound, match="'talk'"):
        store.conversation("talk", "bob")
    assert [text for text, parent in outline(store) if parent is None] == ["hi"]
