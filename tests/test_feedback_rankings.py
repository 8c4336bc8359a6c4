"""feedback.rankings, through the store, on both databases."""

from __future__ import annotations

import math
from typing import Any

import pytest

from feedback.errors import (
    DifferentPrompts,
    IdempotencyConflict,
    InvalidRanking,
    InvalidText,
    UnknownCandidate,
)
from feedback.store import Store
from tests.feedback_databases import a_generation, execute


@pytest.fixture(autouse=True)
def _generations(store: Store) -> None:
    """Two completions of one prompt by two versions, one of another prompt, one of one choice."""
    store.record_generation(a_generation("c1"))
    store.record_generation(a_generation("c2", version="v1"))
    store.record_generation(a_generation("other", prompt="bye"))
    store.record_generation(a_generation("single", n=1))


def test_a_completions_choices_are_ranked_in_their_order(store: Store) -> None:
    """The second and third tie for the best, the first is next, the last is unranked."""
    ranking = store.add_ranking(person="ann", completion_id="c1", ranks=[2, 1, 1, None])
    assert ranking.candidates == ("c1-0", "c1-1", "c1-2", "c1-3")
    assert ranking.ranks == (2, 1, 1, None)
    assert (ranking.supersedes, ranking.repeated) == (None, False)


def test_candidates_may_come_from_two_versions_of_one_prompt(store: Store) -> None:
    """The ranks are in the order in which the candidates were named."""
    ranking = store.add_ranking(person="ann", candidates=["c2-3", "c1-0"], ranks=[1, 2])
    assert ranking.candidates == ("c2-3", "c1-0")
    (prompt,) = store.training_rankings()
    assert [answer.version for answer in prompt.answers] == ["v1", "v0"]


def test_everything_that_was_said_is_kept(store: Store) -> None:
    """Ratings, comment, task and "none is acceptable" come back as they were given."""
    ranking = store.add_ranking(
        person="ann",
        candidates=["c1-0", "c1-1"],
        ranks=[None, None],
        none_acceptable=True,
        ratings={"helpful": [1, None]},
        comment="both\0 wrong 🙁",
        task_id="t1",
    )
    assert ranking.none_acceptable
    assert (ranking.ratings, ranking.task_id) == ({"helpful": [1, None]}, "t1")
    assert ranking.comment == "both\0 wrong 🙁"


WRONG: list[tuple[dict[str, Any], type[InvalidRanking], str, object]] = [
    ({"candidates": ["c1-0", "c1-1"], "ranks": [1]}, InvalidRanking, "ranks", [1]),
    ({"candidates": ["c1-0", "c1-1"], "ranks": [0, 1]}, InvalidRanking, "ranks", 0),
    ({"candidates": ["c1-0", "c1-1"], "ranks": [1, True]}, InvalidRanking, "ranks", True),
    ({"candidates": ["c1-0", "c1-1"], "ranks": [1, 1.5]}, InvalidRanking, "ranks", 1.5),
    ({"candidates": ["c1-0", "c1-1"], "ranks": [1, 2**31]}, InvalidRanking, "ranks", 2**31),
    ({"candidates": ["c1-0"], "ranks": [1]}, InvalidRanking, "candidates", ["c1-0"]),
    ({"candidates": [], "ranks": []}, InvalidRanking, "candidates", []),
    ({"completion_id": "single", "ranks": [1]}, InvalidRanking, "completion_id", "single"),
    ({"candidates": ["c1-0", "c1-0"], "ranks": [1, 2]}, InvalidRanking, "candidates", "c1-0"),
    ({"ranks": [1, 2]}, InvalidRanking, "candidates", None),
    (
        {"candidates": ["c1-0", "other-0"], "ranks": [1, 2]},
        DifferentPrompts,
        "candidates",
        "other-0",
    ),
    (
        {"candidates": ["c1-0", "c1-1"], "completion_id": "c1", "ranks": [1, 2]},
        InvalidRanking,
        "candidates",
        ["c1-0", "c1-1"],
    ),
    (
        {"candidates": ["c1-0", "c1-1"], "ranks": [1, 2], "ratings": {"a": [1]}},
        InvalidRanking,
        "ratings",
        [1],
    ),
    (
        {"candidates": ["c1-0", "c1-1"], "ranks": [1, 2], "ratings": {"a": [1, math.inf]}},
        InvalidRanking,
        "ratings",
        math.inf,
    ),
]


@pytest.mark.parametrize(("body", "error", "param", "value"), WRONG)
def test_what_is_no_ranking_is_refused_with_the_field_and_its_value(
    store: Store, body: dict[str, Any], error: type[InvalidRanking], param: str, value: object
) -> None:
    """And nothing of it is stored."""
    with pytest.raises(error) as refused:
        store.add_ranking(person="ann", **body)
    assert (refused.value.param, refused.value.value) == (param, value)
    assert store.waiting().count == 0


def test_a_ranking_of_too_many_candidates_is_refused(store: Store) -> None:
    """65 candidates would be 2,080 comparisons; the limit is 64."""
    ids = [f"x{number}" for number in range(65)]
    with pytest.raises(InvalidRanking, match="2 to 64 candidates, not 65"):
        store.add_ranking(person="ann", candidates=ids, ranks=[1] * 65)


def test_an_unknown_candidate_or_completion_is_named(store: Store) -> None:
    """The error's value is the id that is not there."""
    with pytest.raises(UnknownCandidate, match="'c9-0'") as refused:
        store.add_ranking(person="ann", candidates=["c1-0", "c9-0"], ranks=[1, 2])
    assert refused.value.param == "candidates"
    with pytest.raises(UnknownCandidate, match="'c9'") as refused:
        store.add_ranking(person="ann", completion_id="c9", ranks=[1, 2])
    assert refused.value.param == "completion_id"


def test_an_id_that_no_database_can_keep_is_refused(store: Store) -> None:
    """U+0000 in an id or a key is the caller's mistake, not the database's failure."""
    with pytest.raises(InvalidText) as refused:
        store.add_ranking(person="ann", candidates=["c1-0", "a\0"], ranks=[1, 2])
    assert refused.value.param == "candidates"
    with pytest.raises(InvalidText) as refused:
        store.add_ranking(person="ann", completion_id="c1", ranks=[1] * 4, idempotency_key="")
    assert refused.value.param == "idempotency_key"


def test_a_change_of_mind_supersedes_and_edits_nothing(store: Store, url: str) -> None:
    """The same candidates in another order are the same ranking's; both rows stay."""
    first = store.add_ranking(person="ann", candidates=["c1-0", "c1-1"], ranks=[1, 2])
    second = store.add_ranking(person="ann", candidates=["c1-1", "c1-0"], ranks=[1, 2])
    third = store.add_ranking(person="ann", candidates=["c1-0", "c1-1"], ranks=[1, 1])
    assert (second.supersedes, third.supersedes) == (first.id, second.id)
    assert [prompt.ranking_id for prompt in store.training_rankings()] == [third.id]
    assert store.waiting().count == 1
    ranks = execute(url, "SELECT rank FROM ranked_candidate ORDER BY ranking_id, place")
    assert [rank for (rank,) in ranks] == [1, 2, 1, 2, 1, 1]


def test_only_ones_own_ranking_of_the_same_candidates_is_superseded(store: Store) -> None:
    """Another person's, and a ranking of one candidate more, stand beside it."""
    store.add_ranking(person="ann", candidates=["c1-0", "c1-1"], ranks=[1, 2])
    bobs = store.add_ranking(person="bob", candidates=["c1-0", "c1-1"], ranks=[2, 1])
    wider = store.add_ranking(person="ann", candidates=["c1-0", "c1-1", "c1-2"], ranks=[1, 2, 3])
    assert (bobs.supersedes, wider.supersedes) == (None, None)
    assert store.waiting().count == 3


def test_a_retry_with_its_key_makes_no_second_row(store: Store) -> None:
    """The first row comes back, marked as repeated, even after it was superseded."""
    body: dict[str, Any] = {"person": "ann", "completion_id": "c1", "ranks": [1, 2, 3, 4]}
    first = store.add_ranking(**body, idempotency_key="k")
    store.add_ranking(person="ann", completion_id="c1", ranks=[4, 3, 2, 1])
    again = store.add_ranking(**body, idempotency_key="k")
    assert (again.id, again.repeated, again.ranks) == (first.id, True, (1, 2, 3, 4))
    assert store.waiting().count == 1


def test_a_key_with_another_body_is_a_conflict(store: Store) -> None:
    """Other ranks, or only another comment, under the same key are refused."""
    store.add_ranking(person="ann", completion_id="c1", ranks=[1, 2, 3, 4], idempotency_key="k")
    for change in ({"ranks": [1, 2, 3, 3]}, {"ranks": [1, 2, 3, 4], "comment": "!"}):
        body: dict[str, Any] = {"person": "ann", "completion_id": "c1", **change}
        with pytest.raises(IdempotencyConflict) as refused:
            store.add_ranking(**body, idempotency_key="k")
        assert refused.value.value == "k"


def test_two_people_may_choose_the_same_key(store: Store) -> None:
    """Keys are a person's own."""
    ids = [
        store.add_ranking(person=p, completion_id="c1", ranks=[1] * 4, idempotency_key="k").id
        for p in ("ann", "bob")
    ]
    assert len(set(ids)) == 2
