"""Rankings by one criterion alone: kept apart from those of whole answers, on both databases."""

from __future__ import annotations

from random import Random

import pytest

from feedback.errors import InvalidRanking
from feedback.labelling import Item, PromptSet, Terms
from feedback.store import Store
from tests.feedback_databases import a_generation

HOUR = Terms(lease_s=3600)
ASKED = (("user", "What is the opposite of hot?"),)


def two_items(store: Store) -> None:
    """Four answers to an imported prompt, to be ranked by two criteria."""
    store.add_prompts("week 1", [ASKED], person="ada", criteria=["helpful", "honest"])
    source = store.next_source("v0")
    assert source is not None
    store.record_generation(a_generation("c1"))
    store.add_task(source, [f"c1-{place}" for place in range(4)], version="v0", wanted=1)


def given(store: Store, person: str = "eve") -> Item:
    item = store.next_task(person, HOUR, Random(0))
    assert item is not None
    return item


def rank(store: Store, item: Item, **more: str) -> int:
    candidates = [answer.id for answer in item.answers]
    told = {"person": "eve", "task_id": str(item.id), "candidates": candidates, **more}
    return store.answer_task(ranks=[1, 2, 3, 4], **told).id  # type: ignore[arg-type]


def test_it_replaces_none_of_the_whole_answers(store: Store) -> None:
    """Three rankings of the same answers by one person, each about something else; the fourth is a
    change of mind about the third.
    """
    store.record_generation(a_generation("c1"))
    about = [None, "helpful", "honest", "honest"]
    said = [
        store.add_ranking(person="ann", completion_id="c1", ranks=[1, 2, 3, 4], criterion=by)
        for by in about
    ]
    assert [one.criterion for one in said] == about
    assert [one.supersedes for one in said] == [None, None, None, said[2].id]


def test_only_what_was_said_of_the_whole_is_learned_as_that(store: Store) -> None:
    """One of the whole waits for a round; the one by a criterion is asked for by its name."""
    store.record_generation(a_generation("c1"))
    whole = store.add_ranking(person="ann", completion_id="c1", ranks=[1, 2, 3, 4])
    honest = store.add_ranking(
        person="ann", completion_id="c1", ranks=[4, 3, 2, 1], criterion="honest"
    )
    assert store.waiting().count == 1
    assert [one.ranking_id for one in store.training_rankings()] == [whole.id]
    assert [one.ranking_id for one in store.judgements()] == [whole.id]
    [found] = store.rankings_by(["honest"])
    assert (found.ranking_id, found.criterion) == (honest.id, "honest")
    assert store.rankings_by(["helpful"]) == []


def test_a_prompt_is_an_item_for_each_criterion(store: Store) -> None:
    """The same answers twice, by helpfulness and by honesty; the set is labelled once both are."""
    two_items(store)
    first = given(store)
    rank(store, first)
    assert store.prompt_sets() == [PromptSet("week 1", 1, 1, 0)]
    second = given(store)
    rank(store, second)
    assert (first.criterion, second.criterion) == ("helpful", "honest")
    assert {a.id for a in first.answers} == {a.id for a in second.answers}
    assert [one.criterion for one in store.rankings_by(["helpful", "honest"])] == [
        "helpful",
        "honest",
    ]
    assert store.prompt_sets() == [PromptSet("week 1", 1, 1, 1)]


def test_an_item_knows_its_criterion(store: Store) -> None:
    """A ranking by another one is refused; a retry without any is the same ranking."""
    two_items(store)
    item = given(store)
    with pytest.raises(InvalidRanking, match="is ranked by 'helpful', not by 'honest'"):
        rank(store, item, criterion="honest")
    assert rank(store, item, idempotency_key="k") == rank(store, item, idempotency_key="k")
