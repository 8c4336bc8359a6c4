"""feedback.training, through the store, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from feedback.errors import StoreError
from feedback.preferences import Answer, RankedPrompt, split_of
from feedback.records import Claim
from feedback.store import Store
from tests.feedback_databases import a_generation, execute


def rank(store: Store, id: str, *, person: str = "ann", consented: bool = True) -> int:
    """A ranked completion of two choices, of a prompt of its own; the ranking's id."""
    store.record_generation(a_generation(id, prompt=f"prompt {id}", consented=consented, n=2))
    return store.add_ranking(person=person, completion_id=id, ranks=[2, 1]).id


def claim(store: Store) -> Claim:
    """A claim on a new round."""
    store.request_round(trigger="operator", actor="ann")
    claim = store.claim_round("learner", ttl_s=60)
    assert claim is not None
    return claim


def test_the_learner_gets_prompt_answers_and_ranks(store: Store) -> None:
    """Tokens and texts travel with the ranks, in the person's order."""
    id = rank(store, "c1")
    assert store.training_rankings() == [
        RankedPrompt(
            ranking_id=id,
            conversation_id="conversation of c1",
            person="ann",
            split=split_of("prompt c1"),
            messages=(("system", "Be kind."), ("user", "prompt c1")),
            prompt_ids=tuple(b"prompt c1"),
            answers=(
                Answer("c1-0", "answer 0", (0, 2**31 - 1), "v0"),
                Answer("c1-1", "answer 1", (1, 2**31 - 1), "v0"),
            ),
            ranks=(2, 1),
        )
    ]


def test_what_else_the_person_said_comes_along(store: Store) -> None:
    """That none is acceptable, and ratings by criterion, None where one was not rated."""
    store.record_generation(a_generation("c1", n=2))
    store.add_ranking(
        person="ann",
        completion_id="c1",
        ranks=[2, 1],
        none_acceptable=True,
        ratings={"overall": [2, None]},
    )
    [found] = store.training_rankings()
    assert (found.none_acceptable, found.ratings) == (True, {"overall": [2, None]})


def test_the_side_of_the_split_is_kept_as_it_was_when_the_prompt_was_asked(
    store: Store, url: str
) -> None:
    """It is read from the row, so that another share later moves no prompt to the other side."""
    rank(store, "c1")
    other = {"train": "judge", "judge": "train"}[split_of("prompt c1")]
    execute(url, "UPDATE ranking SET split = :other", other=other)
    assert [prompt.split for prompt in store.training_rankings()] == [other]


def test_a_ranking_without_consent_is_stored_but_never_trained_on(store: Store) -> None:
    """It neither waits nor comes up, and naming it as a round's input is refused."""
    ids = [rank(store, "c1", consented=False), rank(store, "c2")]
    assert store.waiting().count == 1
    assert [prompt.ranking_id for prompt in store.training_rankings()] == [ids[1]]
    with pytest.raises(StoreError, match=f"ranking {ids[0]}") as refused:
        store.use_rankings(claim(store), ids)
    assert refused.value.value == ids[0]
    assert store.rounds(1)[0].rankings == 0


@pytest.mark.parametrize("consented", [True, False])
def test_the_database_itself_keeps_out_what_was_not_consented_to(
    store: Store, url: str, consented: bool
) -> None:
    """A row written behind the store's back breaks a constraint, whatever it claims."""
    id, round_id = rank(store, "c1", consented=False), claim(store).round_id
    columns, values = "round_id, ranking_id, consented", ":round, :ranking, :consented"
    statement = f"INSERT INTO round_input ({columns}) VALUES ({values})"
    with pytest.raises(IntegrityError):
        execute(url, statement, round=round_id, ranking=id, consented=consented)


def test_one_generation_without_consent_is_enough(store: Store) -> None:
    """A ranking across two people's completions needs the consent of both."""
    store.record_generation(a_generation("c1"))
    store.record_generation(a_generation("c2", person="bob", consented=False))
    store.add_ranking(person="ann", candidates=["c1-0", "c2-0"], ranks=[1, 2])
    assert store.training_rankings() == []


def test_with_fewer_than_two_ranked_answers_there_is_nothing_to_learn(store: Store) -> None:
    """ "None is acceptable" without ranks is data, but waits for no round."""
    store.record_generation(a_generation("c1"))
    store.add_ranking(
        person="ann", completion_id="c1", ranks=[1, None, None, None], none_acceptable=True
    )
    assert store.training_rankings() == []
    assert store.waiting().count == 0


def test_taking_a_ranking_back_takes_it_off_the_queue(store: Store) -> None:
    """A ranking that is superseded by "nothing ranked" waits no longer."""
    rank(store, "c1")
    store.add_ranking(person="ann", completion_id="c1", ranks=[None, None])
    assert store.waiting().count == 0
    assert store.training_rankings() == []


def test_the_oldest_of_those_that_wait_gives_the_age(store: Store, url: str) -> None:
    """Of one 100 s old and a new one, the age is 100 s; of none there is no age."""
    assert (store.waiting().count, store.waiting().oldest_age_s) == (0, None)
    id = rank(store, "c1")
    rank(store, "c2")
    execute(url, "UPDATE waiting_ranking SET since = since - 100 WHERE ranking_id = :id", id=id)
    waiting = store.waiting()
    assert waiting.count == 2
    assert waiting.oldest_age_s == pytest.approx(100, abs=5)


@pytest.mark.parametrize(
    ("outcome", "left"),
    [
        ("promoted", 1),
        ("rejected", 1),
        ("verified", 1),
        ("needs_feedback", 1),
        ("failed", 3),
        ("cancelled", 3),
    ],
)
def test_what_a_round_used_waits_no_longer_if_the_round_came_to_a_decision(
    store: Store, outcome: str, left: int
) -> None:
    """Of three rankings a round uses two; while it runs, and if it fails, all three wait."""
    ids = [rank(store, f"c{number}") for number in range(3)]
    held = claim(store)
    store.use_rankings(held, ids[:2])
    assert store.waiting().count == 3
    store.finish_round(held, outcome=outcome)
    assert store.waiting().count == left
    assert len(store.training_rankings()) == 3
