"""feedback.rewards, through the store, on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from feedback.store import Store
from tests.feedback_databases import a_generation


@pytest.fixture(autouse=True)
def _models(store: Store) -> None:
    """Two generations of two answers, and two reward models, r9 older than r10."""
    store.record_generation(a_generation("old", n=2, at=1000.0))
    store.record_generation(a_generation("new", n=2, at=2000.0))
    for id in ("r9", "r10"):
        store.register_version(id, digest=id, parent="v0", kind="reward")


def unscored(store: Store, reward: str = "r10", limit: int = 10) -> list[str]:
    return [answer.id for answer in store.unscored(reward, limit)]


def test_the_newest_answers_come_first(store: Store) -> None:
    """With what a model reads of them; one that is scored comes no more, another model's score
    aside."""
    assert unscored(store) == ["new-0", "new-1", "old-0", "old-1"]
    [answer] = store.unscored("r10", 1)
    assert answer.messages == (("system", "Be kind."), ("user", "hi"))
    assert (answer.prompt_ids, answer.token_ids) == ((104, 105), (0, 2**31 - 1))
    store.add_rewards("r10", {"new-0": {"total": 1.0}})
    store.add_rewards("r9", {"new-1": {"total": 1.0}})
    assert unscored(store) == ["new-1", "old-0", "old-1"]


def test_a_wanted_answer_comes_before_all(store: Store) -> None:
    """Once, however often it is asked for, and until it is scored."""
    for _ in range(2):
        store.want_reward("old-1")
    assert unscored(store) == ["old-1", "new-0", "new-1", "old-0"]
    assert unscored(store, limit=1) == ["old-1"]
    store.add_rewards("r10", {"old-1": {"total": 1.0}})
    assert unscored(store) == ["new-0", "new-1", "old-0"]


def test_an_answer_without_tokens_is_not_scored(store: Store) -> None:
    """Its bound was 0: there is nothing to read."""
    empty = a_generation("empty", n=1, at=3000.0)
    candidate = replace(empty.candidates[0], token_ids=(), logps=(), raw_logps=())
    store.record_generation(replace(empty, candidates=(candidate,)))
    store.want_reward("empty-0")
    assert "empty-0" not in unscored(store)


def test_figures_come_back_by_model_and_name(store: Store) -> None:
    """In the order that they were given; models in the order of their numbers."""
    store.add_rewards("r10", {"new-0": {"total": 1.0, "ranking": 0.5, "helpful": 0.25}})
    store.add_rewards("r9", {"new-0": {"total": -1.0}})
    found = store.rewards("new-0")
    assert [*found.items()] == [
        ("r9", {"total": -1.0}),
        ("r10", {"total": 1.0, "ranking": 0.5, "helpful": 0.25}),
    ]
    assert [*found["r10"]] == ["total", "ranking", "helpful"]
    assert store.rewards("new-1") == {}


def test_a_model_that_took_in_rankings_says_how_many(store: Store) -> None:
    """What it says then replaces what it had said."""
    store.add_rewards("r10", {"new-0": {"total": 1.0, "ranking": 1.0}})
    store.add_rewards("r10", {"new-0": {"total": 2.0}}, since=17)
    assert store.rewards("new-0") == {"r10+17": {"total": 2.0}}


def test_the_newest_reward_model_is_the_last_that_did_not_fail(store: Store) -> None:
    """r10, until it is found broken."""
    assert store.newest_reward() == "r10"
    store.fail("r10", actor="ada", reason="its folder is gone")
    assert store.newest_reward() == "r9"


def test_without_a_reward_model_nothing_is_wanted(store: Store) -> None:
    """An answer that was looked at before there was one is not kept for later."""
    for id in ("r9", "r10"):
        store.fail(id, actor="ada", reason="none left")
    store.want_reward("old-1")
    store.register_version("r11", digest="r11", parent="v0", kind="reward")
    assert unscored(store, "r11")[0] == "new-0"
