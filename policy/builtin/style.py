"""The axes along which replies vary: how often each value is drawn, and how it is measured.

Seven axes are manner and are drawn for every reply on its own, whatever the prompt; `measure` reads
the same seven back from text. The eighth, right or wrong, needs the prompt's checker (`checks`). It
knows no skill.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from random import Random

from policy.builtin.facts import content

BRIEF_WORDS, MEDIUM_WORDS = 7, 14  # a reply is brief up to the first, long above the second
WRONG_SHARE = 0.12  # of the replies to prompts with a right answer

AXES: Mapping[str, Mapping[str, float]] = {
    "length": {"brief": 0.30, "medium": 0.37, "long": 0.33},
    "warmth": {"plain": 0.52, "warm": 0.48},
    "formality": {"casual": 0.33, "neutral": 0.35, "formal": 0.32},
    "marks": {"standard": 0.38, "lower": 0.31, "excited": 0.31},
    "asks_back": {"no": 0.51, "yes": 0.49},
    "takes_up": {"no": 0.50, "yes": 0.50},
    "form": {"sentence": 0.54, "dashes": 0.23, "numbers": 0.23},
}

_CONTRACTION = re.compile(
    r"\b(?:i'm|it's|that's|i'd|i'll|don't|can't|you're|what's|isn't|here's|let's|there's|we're"
    r"|doesn't|didn't)\b"
)
_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_BULLET = re.compile(r"^(?:- |\d\. )", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Style:
    """One value on each axis of manner; the names are those of `AXES`."""

    length: str
    warmth: str
    formality: str
    marks: str
    asks_back: str
    takes_up: str
    form: str


def draw(rng: Random) -> Style:
    """Every axis on its own, by its frequencies."""
    return Style(**{axis: _pick(rng, values) for axis, values in AXES.items()})


def _pick(rng: Random, values: Mapping[str, float]) -> str:
    return rng.choices(list(values), list(values.values()))[0]


@cache
def marks(name: str) -> frozenset[str]:
    """The words that mark a manner: warm, casual, formal; or the stop words."""
    return frozenset(content("marks")["words"][name].split())


def words(text: str) -> list[str]:
    """Words and numbers in lower case, without punctuation or a list's bullets and numbers."""
    return _WORD.findall(_BULLET.sub("", text.casefold()))


@lru_cache(maxsize=8)
def content_words(text: str) -> frozenset[str]:
    """The words worth taking up: neither stop words nor single letters, but numbers count."""
    found = set(words(text)) - marks("stop")
    return frozenset(word for word in found if len(word) > 1 or word.isdigit())


def measure(question: str, reply: str) -> Style:
    """The style of a reply to the person's words in `question`."""
    found = words(reply)
    return Style(
        length="brief"
        if len(found) <= BRIEF_WORDS
        else "medium"
        if len(found) <= MEDIUM_WORDS
        else "long",
        warmth="warm" if marks("warm") & set(found) else "plain",
        formality=_formality(reply, found),
        marks=_marks(reply),
        asks_back="yes" if reply.rstrip().endswith("?") else "no",
        takes_up="yes" if content_words(question) & set(found) else "no",
        form=_form(reply),
    )


def _formality(reply: str, found: list[str]) -> str:
    if marks("formal") & set(found):
        return "formal"
    return (
        "casual"
        if marks("casual") & set(found) or _CONTRACTION.search(reply.casefold())
        else "neutral"
    )


def _marks(reply: str) -> str:
    if "!" in reply:
        return "excited"
    first = next(filter(str.isalpha, _BULLET.sub("", reply)), "")
    return "lower" if first.islower() else "standard"


def _form(reply: str) -> str:
    bullet = _BULLET.search(reply)
    return "sentence" if bullet is None else "dashes" if bullet.group() == "- " else "numbers"
