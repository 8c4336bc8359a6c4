"""What ranks mean: their order counts, not their numbers."""

from __future__ import annotations

from ui.memory import Answer, Comparison
from ui.ranker import best, dense, shown, verdict_of


def test_dense_keeps_order_ties_and_gaps_closed() -> None:
    """2, 4, 4 and an unranked one are the order first, second, second, unranked."""
    assert dense([2, 4, 4, None]) == [1, 2, 2, None]


def test_dense_of_one_rank_for_all_is_a_tie_for_first() -> None:
    """Three answers given rank 3 share the first place."""
    assert dense([3, 3, 3]) == [1, 1, 1]


def test_best_is_the_first_of_a_tie() -> None:
    """B and C share the first place, and B is shown before C."""
    assert best([2, 1, 1, 3]) == 1


def test_best_of_nothing_ranked_is_nothing() -> None:
    """Two answers that were not ranked have no best one."""
    assert best([None, None]) is None


def test_nothing_to_rank_shows_nothing() -> None:
    """A conversation without a comparison leaves the component empty."""
    assert shown(None) == {}


def test_candidate_ids_stay_out_of_the_ranking_component() -> None:
    """The component ranks what people read; the ids stay with the conversation."""
    comparison = Comparison(answers=[Answer(candidate="c-0", text="a", done=True)])
    assert "candidate" not in shown(comparison)["answers"][0]


def test_a_ranking_says_how_it_came_about() -> None:
    """Answers stand side by side in their order, each under its version's name; the component says
    how long there was something to read, and what was used.
    """
    answers = [Answer(candidate=id, text=id, version="v1") for id in ("a", "b")]
    sent = {"ranks": [2, 1], "none": False, "seconds": 7.5, "input": "touch"}
    verdict = verdict_of(sent, Comparison(answers=answers))
    assert (verdict.shown, verdict.blind) == (["a", "b"], False)
    assert (verdict.seconds, verdict.input) == (7.5, "touch")
