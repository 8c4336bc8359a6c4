"""Simulated people, and the preferences that ship."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from benchmarks.closed_loop import settings_of
from benchmarks.people import People, load_preference, ranks_of
from benchmarks.preferences import asks_back, in_one_piece, takes_up_words, writes_as_asked


def shorter(messages: Sequence[Mapping[str, str]], reply: str) -> float:
    return -float(len(reply))


def test_equal_scores_share_a_rank() -> None:
    """Ranks are dense: the two best are 1, the next is 2."""
    assert ranks_of([0, 1, 1, 0.5]) == [3, 1, 1, 2]


@pytest.mark.parametrize(("rankings", "careless"), [(200, 20), (32, 3), (5, 0), (10, 1)])
def test_exactly_a_tenth_is_random(rankings: int, careless: int) -> None:
    """A tenth of the rankings, rounded, whatever the seed."""
    for seed in range(5):
        assert len(People(shorter, rankings, seed).careless) == careless


def test_careful_people_rank_by_the_preference() -> None:
    """Of three replies the shortest is best; twenty people take turns."""
    people = People(shorter, 40, seed=3)
    number = next(n for n in range(40) if n not in people.careless)
    assert people.ranks(number, [], ["long one", "short", "x"]) == [3, 2, 1]
    assert people.name(0) == people.name(20) == "person-00"


def test_careless_people_repeat_themselves() -> None:
    """A random ranking is a permutation, the same for the same seed."""
    people = People(shorter, 40, seed=3)
    number = min(people.careless)
    ranks = people.ranks(number, [], ["same"] * 4)
    assert sorted(ranks) == [1, 2, 3, 4]
    assert ranks == people.ranks(number, [], ["same"] * 4)


def test_the_share_of_random_rankings_is_a_choice() -> None:
    """A quarter of 200 is 50."""
    assert len(People(shorter, 200, seed=1, random_share=0.25).careless) == 50


def test_a_setting_without_a_value_is_refused() -> None:
    """What comes after the first equals sign is the value."""
    assert settings_of(["learner.method=rloo", "data=a=b"]) == {
        "learner.method": "rloo",
        "data": "a=b",
    }
    with pytest.raises(ValueError, match=r"--set learner\.method: give NAME=VALUE"):
        settings_of(["learner.method"])


def test_asking_back_is_the_end_of_the_reply() -> None:
    """A question in the middle is not asked back."""
    assert asks_back([], "Red. And yours? ") == 1
    assert asks_back([], "And yours? Mine is red.") == 0


def test_taking_up_a_function_word_is_not_taking_up() -> None:
    """`is` and `the` are everybody's; `sky` is the person's."""
    messages = [{"role": "user", "content": "What colour is the sky?"}]
    assert takes_up_words(messages, "The sky is blue.") == 1
    assert takes_up_words(messages, "It is the blue.") == 0


def test_a_line_that_begins_with_a_number_or_a_dash_is_a_list() -> None:
    """A sum within a sentence, or a dash, is none."""
    assert in_one_piece([], "I say 2. It is 3 - 1.") == 1
    assert in_one_piece([], "Well, here:\n1. Two") == 0
    assert in_one_piece([], "- two") == 0


@pytest.mark.parametrize(
    ("asked", "reply", "liked"),
    [("what is it", "- a fox", 1), ("what is it", "A fox.", 0), ("3 of them?", "2. No", 0)],
)
def test_writing_as_asked_is_the_case_of_the_first_letter(
    asked: str, reply: str, liked: int
) -> None:
    """Bullets and numbers before it do not count; the third begins with `o` and `N`."""
    assert writes_as_asked([{"role": "user", "content": asked}], reply) == liked


def test_a_preference_is_any_function_in_a_file(tmp_path: Path) -> None:
    """`FILE.py:function` is loaded from wherever it stands."""
    file = tmp_path / "mine.py"
    file.write_text("def exclaims(messages, reply):\n    return float('!' in reply)\n")
    assert load_preference(f"{file}:exclaims")([], "Hey!") == 1


@pytest.mark.parametrize("spec", ["nowhere.py:f", "benchmarks/people.py:nothing", "people"])
def test_a_missing_preference_is_named(spec: str) -> None:
    """What is asked for and not there is an error that repeats it."""
    with pytest.raises(ValueError, match=spec):
        load_preference(spec)
