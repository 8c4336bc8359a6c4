"""feedback.inputs and feedback.repeats, through the store, on both databases."""

from __future__ import annotations

import pytest

from feedback.errors import IllegalMove, StoreError, UnknownRound
from feedback.preferences import split_of
from feedback.records import DownWeighting, InputInfo
from feedback.store import Store
from tests.feedback_databases import a_generation
from tests.test_feedback_training import claim, rank


def finished(store: Store, people: str = "ann") -> tuple[int, list[int]]:
    """A round that used one ranking of each of these people and is over; its id and theirs."""
    ids = [rank(store, f"c-{person}", person=person) for person in people.split()]
    held = claim(store)
    store.use_rankings(held, ids, [DownWeighting(ids[0], people.split()[0], 0.5, "newcomer")])
    store.use_prompts(held, 9)
    store.finish_round(held, outcome="rejected")
    return held.round_id, ids


def test_what_a_round_used_is_read_back_with_its_weights(store: Store) -> None:
    """The first ranking weighs a half, the second 1; one that nobody wrote down is not there."""
    ids = [rank(store, id) for id in ("c1", "c2", "c3")]
    held = claim(store)
    assert store.used_rankings(held.round_id) == []
    store.use_rankings(held, ids[:2], [DownWeighting(ids[0], "ann", 0.5, "newcomer")])
    found = store.used_rankings(held.round_id)
    assert [(ranked.ranking_id, ranked.weight) for ranked in found] == [(ids[0], 0.5), (ids[1], 1)]
    assert found[1] == store.training_rankings()[1]


def test_a_ranking_that_was_replaced_meanwhile_is_still_the_rounds(store: Store) -> None:
    """A change of mind is for the next round."""
    id = rank(store, "c1")
    held = claim(store)
    store.use_rankings(held, [id])
    later = store.add_ranking(person="ann", completion_id="c1", ranks=[1, 2]).id
    assert [ranked.ranks for ranked in store.used_rankings(held.round_id)] == [(2, 1)]
    assert [ranked.ranking_id for ranked in store.training_rankings()] == [later]


def test_a_rounds_prompts_are_those_of_its_first_look(store: Store) -> None:
    """Asked again after another prompt was recorded, in the order of then: the last first."""
    for id, at in (("c1", 1.0), ("c2", 2.0)):
        store.record_generation(a_generation(id, prompt=id, at=at))
    held = claim(store)
    first = store.use_prompts(held, 9)
    store.record_generation(a_generation("c3", prompt="c3", at=0.5))
    assert [bytes(prompt.prompt_ids) for prompt in first] == [b"c2", b"c1"]
    assert store.use_prompts(held, 9) == first
    assert len(store.logged_prompts(9)) == 3


def imported(store: Store, name: str, *words: str, person: str = "ann") -> None:
    store.add_prompts(name, [(("user", word),) for word in words], person=person)


def test_a_rounds_set_prompts_are_those_of_its_first_look(store: Store) -> None:
    """The newest two of each named set, whatever is imported meanwhile, each with its side of the
    split and no ids yet."""
    imported(store, "b", "one", "two", "three")
    imported(store, "a", "four")
    imported(store, "c", "five")
    held = claim(store)
    first = store.use_set_prompts(held, ["b", "a", "none"], 2)
    assert [(p.set_name, p.messages[0][1]) for p in first] == [
        ("a", "four"),
        ("b", "three"),
        ("b", "two"),
    ]
    assert [p.split for p in first] == [split_of(p.messages[0][1]) for p in first]
    assert {p.prompt_ids for p in first} == {()}
    imported(store, "b", "six")
    assert store.use_set_prompts(held, ["b"], 9) == first


def test_a_repeat_has_the_set_prompts(store: Store) -> None:
    """Those of the round that it repeats, not what the set has by now."""
    imported(store, "a", "one")
    ranking = rank(store, "c-ann")
    held = claim(store)
    store.use_rankings(held, [ranking])
    first = store.use_set_prompts(held, ["a"], 9)
    store.finish_round(held, outcome="rejected")
    imported(store, "a", "two")
    store.repeat_round(held.round_id, actor="eve")
    again = store.claim_round("learner", 60)
    assert again is not None
    assert store.use_set_prompts(again, ["a"], 9) == first


def test_a_taken_back_set_prompt_is_no_rounds(store: Store) -> None:
    """Its row stays for the round that had it, and the answer names that round; its words go."""
    imported(store, "a", "one", person="ann")
    imported(store, "a", "two", person="bob")
    held = claim(store)
    store.use_set_prompts(held, ["a"], 9)
    assert store.erase("ann").rounds == (held.round_id,)
    assert [p.messages[0][1] for p in store.use_set_prompts(held, ["a"], 9)] == ["two"]


def test_inputs_are_listed_with_whose_they_are(store: Store) -> None:
    """Oldest first; an unknown round is named."""
    round_id, [first, second] = finished(store, "ann bob")
    assert store.round_inputs(round_id) == [
        InputInfo(first, "ann", 0.5, "newcomer"),
        InputInfo(second, "bob", 1.0),
    ]
    with pytest.raises(UnknownRound, match="99"):
        store.round_inputs(99)


def test_a_repeat_has_the_inputs_but_for_those_of_people_left_out(store: Store) -> None:
    """With their weights and the prompts, whatever has been said since; and it says of what."""
    round_id, [first, _] = finished(store, "ann bob")
    rank(store, "c3")
    again = store.repeat_round(round_id, without=["bob"], actor="eve")
    assert (again.state, again.repeat_of, again.without) == ("queued", round_id, ("bob",))
    assert again.stages == ("reward", "ppo")
    assert store.round_inputs(again.id) == [InputInfo(first, "ann", 0.5, "newcomer")]
    held = store.claim_round("learner", 60)
    assert held is not None
    assert held.round_id == again.id
    assert len(store.use_prompts(held, 9)) == 2
    assert len(store.logged_prompts(9)) == 3


def test_a_repeat_waits_until_no_round_is_open(store: Store) -> None:
    """Asked for twice it is one; any other has to wait."""
    round_id, _ = finished(store, "ann bob")
    again = store.repeat_round(round_id, without=["ann"], actor="eve")
    assert store.repeat_round(round_id, without=["ann", "ann"], actor="eve").id == again.id
    for other in ([], ["bob"]):
        with pytest.raises(IllegalMove, match=f"round {again.id} is queued: ask again"):
            store.repeat_round(round_id, without=other, actor="eve")


def test_what_cannot_be_repeated_is_refused(store: Store) -> None:
    """A round that runs, one without rankings, people who gave it none, and nobody left."""
    round_id, _ = finished(store, "ann bob")
    for people, reason in (
        (["eve"], f"round {round_id} used no ranking of 'eve'"),
        (["bob", "ann"], f"without ann, bob round {round_id} has no rankings left"),
    ):
        with pytest.raises(StoreError, match=reason) as refused:
            store.repeat_round(round_id, without=people, actor="eve")
        assert refused.value.param == "without"
    held = claim(store)
    with pytest.raises(IllegalMove, match=f"round {held.round_id} is not over: running"):
        store.repeat_round(held.round_id, actor="eve")
    store.finish_round(held, outcome="needs_feedback")
    with pytest.raises(IllegalMove, match=f"round {held.round_id} used no rankings"):
        store.repeat_round(held.round_id, actor="eve")
    with pytest.raises(UnknownRound, match="99"):
        store.repeat_round(99, actor="eve")


def test_figures_of_a_round_that_starts_over_are_forgotten(store: Store) -> None:
    """Those of other rounds stay."""
    first = claim(store)
    store.add_metrics(first, stage="ppo", step=1, values={"kl": 1.0})
    store.finish_round(first, outcome="rejected")
    second = claim(store)
    store.add_metrics(second, stage="ppo", step=1, values={"kl": 2.0})
    store.forget_metrics(second)
    assert store.metrics(second.round_id) == []
    assert len(store.metrics(first.round_id)) == 1
