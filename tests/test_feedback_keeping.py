"""What nobody has judged goes after its days, on both databases."""

from __future__ import annotations

import time

import pytest

from feedback.errors import NotFound
from feedback.store import Store
from tests.feedback_databases import a_generation, execute

DAY_S = 86400.0


@pytest.fixture(autouse=True)
def _base(store: Store) -> None:
    store.install_base(digest="d0")


def test_only_what_is_old_and_was_never_judged_goes(store: Store, url: str) -> None:
    """Of 31, 31, 31 and 29 days: one was ranked, one has a thumb; the third goes, words, numbers
    and name, and says by what rule. The days are 30.
    """
    now = time.time()
    for id, age in (("ranked", 31), ("marked", 31), ("old", 31), ("young", 29)):
        store.record_generation(a_generation(id, prompt=f"secret {id}", at=now - age * DAY_S))
    store.add_ranking(person="ann", candidates=["ranked-0", "ranked-1"], ranks=[1, 2])
    store.add_marks(person="ann", candidate="marked-0", values={"thumb": 1.0})
    assert store.forget(30) == 1
    assert store.forget(30) == 0
    with pytest.raises(NotFound):
        store.generation("old")
    [row] = execute(url, "SELECT person, messages, params FROM generation WHERE id = 'old'")
    assert row.person == "deleted"
    assert "secret" not in str(row.messages)
    assert "kept_days" in str(row.params)
    texts = execute(url, "SELECT text FROM candidate WHERE generation_id = 'old'")
    assert [str(text[0]).strip('"') for text in texts] == [""] * 4
    for id in ("ranked", "marked", "young"):
        assert store.generation(id).messages[1] == ("user", f"secret {id}")


def test_a_conversation_goes_as_a_whole(store: Store, url: str) -> None:
    """Its first turn is old, its last is not: nothing goes. When the last is old too, both do."""
    now = time.time()
    for id, age in (("first", 40), ("last", 10)):
        store.record_generation(a_generation(id, at=now - age * DAY_S))
    execute(url, "UPDATE generation SET conversation_id = 'one'")
    assert store.forget(30) == 0
    assert store.forget(9) == 2


def test_what_an_open_round_draws_from_stays(store: Store) -> None:
    """Until the round is over."""
    store.record_generation(a_generation("asked", at=time.time() - 40 * DAY_S))
    store.request_round(trigger="operator", actor="ann")
    claim = store.claim_round("learner", 60)
    assert claim is not None
    assert [p.prompt_ids for p in store.use_prompts(claim, 10)] != []
    assert store.forget(30) == 0
    store.finish_round(claim, outcome="needs_feedback")
    assert store.forget(30) == 1
