"""Stored rankings as the reward models take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from feedback.preferences import Answer, RankedPrompt
from learner.marked import ranked_group


def stored(
    ranks: tuple[int | None, ...], ratings: Mapping[str, Sequence[float | None]] | None = None
) -> RankedPrompt:
    answers = tuple(Answer(f"k{n}", f"text {n}", (n,), "v0") for n in range(len(ranks)))
    return RankedPrompt(
        1, "c", "ann", "train", (("user", "hi"),), (9,), answers, ranks, True, ratings
    )


def test_unranked_answers_are_left_out() -> None:
    """Ranks 2, none, 1: the first and the third, with what belongs to them."""
    found = ranked_group(stored((2, None, 1), {"overall": [3.0, 4.0, None]}))
    assert found.group.replies == ((0,), (2,))
    assert (found.ranks, found.texts) == ((2, 1), ("text 0", "text 2"))
    assert found.ratings == (3.0, None)
    assert found.none_acceptable


@pytest.mark.parametrize("ratings", [None, {"harm": [1.0, 5.0]}])
def test_ratings_of_something_else_are_no_margins(
    ratings: Mapping[str, Sequence[float | None]] | None,
) -> None:
    """More harm is not better."""
    assert ranked_group(stored((1, 2), ratings)).ratings is None
