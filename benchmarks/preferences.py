"""Four hidden preferences: two of manner, two that hang on what was said. Nothing in the product
may know them.

A preference is `score(messages, reply) -> float`: higher is liked better, equal is a tie;
`messages` is the conversation up to the reply, as `{"role", "content"}`. Any file's function of
this shape serves: `--preference FILE.py:function`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+")
_ITEM = re.compile(r"\s*(?:[-*]|\d+\.)\s")
_LETTER = re.compile(r"[a-zA-Z]")
_FUNCTION_WORDS = frozenset(
    """
    a about am an and any are as at be can could did do does for from give have how i i'm in is it
    its just know like list me my name of on one or please say so some tell that the then there this
    three to two was were what what's when where which who why will with would you your
    """.split()
)


def asks_back(messages: Sequence[Mapping[str, str]], reply: str) -> float:
    """Manner: 1 for a reply that ends by asking something."""
    return float(reply.rstrip().endswith("?"))


def takes_up_words(messages: Sequence[Mapping[str, str]], reply: str) -> float:
    """Content: 1 for a reply that takes up at least one content word of the last message."""
    return float(bool(content_words(messages[-1]["content"]) & content_words(reply)))


def in_one_piece(messages: Sequence[Mapping[str, str]], reply: str) -> float:
    """Manner: 1 for a reply that is no list."""
    return float(not any(_ITEM.match(line) for line in reply.splitlines()))


def writes_as_asked(messages: Sequence[Mapping[str, str]], reply: str) -> float:
    """By what was said: 1 for a reply that begins in lower case to a message that does, or in upper
    case to one that does.
    """
    asked, answered = (_LETTER.search(text) for text in (messages[-1]["content"], reply))
    if asked is None or answered is None:
        return 0.0
    return float(asked[0].islower() == answered[0].islower())


def content_words(text: str) -> set[str]:
    """Words and numbers in lower case, without the words that every sentence has."""
    return set(_WORD.findall(text.lower())) - _FUNCTION_WORDS
