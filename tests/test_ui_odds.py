"""Which word was clicked, and how its chances read."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ui.odds import named, panel, percent, place_of
from ui.wire import Odd, Word

WORDS = [
    Word(place=place, token=place, text=text, logprob=-1.0)
    for place, text in enumerate(["It", " is", "", " é", ""])
]


@pytest.mark.parametrize(
    ("offset", "place"), [(0, 0), (1, 0), (2, 1), (4, 1), (5, 3), (6, 3), (99, 3)]
)
def test_a_character_belongs_to_one_token(offset: int, place: int) -> None:
    """ "It is é": tokens without text are nobody's, and beyond the end is the last word."""
    assert place_of(WORDS, offset) == place


def test_the_drawn_word_stands_among_the_others() -> None:
    """Even where it was too unlikely to be listed: 60 %, 30 %, and the drawn one's 1 %."""
    others = [Odd(token=1, text="a", logprob=math.log(0.6)), Odd(token=2, text="b", logprob=-1.2)]
    shown: Any = panel(Word(place=0, token=3, text=" c", logprob=math.log(0.01), odds=others))
    rows = shown[3][2:]
    assert [(row[1]["class"], row[2][2], row[4][2]) for row in rows] == [
        ("rl-odd", "a", "60 %"),
        ("rl-odd", "b", "30 %"),
        ("rl-odd rl-drawn", "\N{OPEN BOX}c", "1.0 %"),
    ]


@pytest.mark.parametrize(
    ("chance", "shown"), [(1, "100 %"), (0.1, "10 %"), (0.034, "3.4 %"), (0.0001, "< 0.1 %")]
)
def test_chances_are_short(chance: float, shown: str) -> None:
    """Two digits are enough."""
    assert percent(math.log(chance)) == shown


def test_what_cannot_be_seen_is_named() -> None:
    """The end of an answer, a piece of a character, spaces."""
    assert named("") == "(end)"
    assert named("\N{REPLACEMENT CHARACTER}") == "(part of a character)"
    assert named(" a b") == "\N{OPEN BOX}a\N{OPEN BOX}b"
