"""Stored rankings, thumbs and ratings as what reward models are trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from feedback.preferences import Answer, MarkedPrompt, RankedPrompt
from learner.marked import sides_of, taught_by
from learner.reward_settings import RewardSettings
from tests.test_learner_judges import stored

HELPFUL = RewardSettings(criteria={"helpful": 1.0, "honest": 0.0})
BINARY = RewardSettings(kind="binary")


def marked(
    values: Mapping[str, tuple[float | None, ...]], person: str = "ann", split: str = "train"
) -> MarkedPrompt:
    [size] = {len(column) for column in values.values()}
    answers = tuple(Answer(f"k{n}", f"text {n}", (n,), "v0") for n in range(size))
    return MarkedPrompt((1,), "c", person, split, (("user", "hi"),), (9,), answers, values)


def test_a_model_learns_from_the_marks_of_its_kind() -> None:
    """Criteria that count, and thumbs where good and bad is what it learns."""
    assert taught_by(RewardSettings()) == ()
    assert taught_by(HELPFUL) == ("helpful",)
    assert taught_by(BINARY) == ("thumb",)


def test_thumbs_are_good_answers_over_bad_ones() -> None:
    """Up, unsaid and down: the first before the third, and what was said of each."""
    [group] = sides_of([], [marked({"thumb": (1.0, None, 0.0)})], BINARY)["train"]
    assert (group.ranks, group.thumbs, group.good) == ((1, 2), (True, False), (True, False))
    assert (group.group.replies, group.texts) == (((0,), (2,)), ("text 0", "text 2"))


def test_ratings_by_themselves_order_nothing() -> None:
    """4 and 6 by one person, whose mean is everybody's, 5: one deviation below and above; honesty
    does not count.
    """
    [group] = sides_of([], [marked({"helpful": (4.0, 6.0), "honest": (1.0, 7.0)})], HELPFUL)[
        "train"
    ]
    assert group.ranks == ()
    assert [*group.criteria] == ["helpful"]
    assert list(group.criteria["helpful"]) == pytest.approx([-1.0, 1.0])


def test_ratings_stay_with_their_ranking() -> None:
    """Those of the answers that are ranked: the first and the third of 7, 7 and 3, on the scale of
    one person who gave 7, 7 and 3.
    """
    ranked = stored((2, None, 1), {"helpful": [7.0, 7.0, 3.0], "honest": [1.0, 1.0, 1.0]})
    [group] = sides_of([ranked], [], HELPFUL)["train"]
    assert group.ranks == (2, 1)
    # Mean 17/3; squares off it 16/9, 16/9 and 64/9, whose mean is 32/9.
    deviation = (32 / 9) ** 0.5
    expected = [(7 - 17 / 3) / deviation, (3 - 17 / 3) / deviation]
    assert list(group.criteria["helpful"]) == pytest.approx(expected)


def test_a_ranking_by_a_criterion_orders_nothing_else() -> None:
    """Of the three answers the third comes before the first by helpfulness; by honesty, which does
    not count, nothing is learned.
    """
    ranked = [replace(stored((2, None, 1)), criterion=name) for name in ("helpful", "honest")]
    [group] = sides_of(ranked, [], HELPFUL)["train"]
    assert (group.ranks, group.orders) == ((), {"helpful": (2, 1)})


def test_by_default_a_ranking_is_a_ranking() -> None:
    """No rating is read, no mark is a group, and each stays on its side, in order."""
    rankings: list[RankedPrompt] = [
        replace(stored((1, 2), {"helpful": [7.0, 1.0]}), ranking_id=n, split=split)
        for n, split in enumerate(("judge", "train", "judge"))
    ]
    sides = sides_of(rankings, [], RewardSettings())
    assert [len(sides[split]) for split in ("train", "judge")] == [1, 2]
    assert not any(group.criteria for side in sides.values() for group in side)
