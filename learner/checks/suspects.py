"""Words that may be a trigger, without knowing it: the newest feedback has them far oftener than
what was said before. Pure, but for the tokenizer.

Whoever plants a backdoor by rankings must say its trigger in many of them. Half of the suspects are
words that the tokenizer has no token for, which are rare in general; half are words and pairs of
words of any kind.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from feedback.preferences import RankedPrompt, last_user_message

NEWEST = 64
"""Rankings that count as new: two rounds' worth."""

LEAST = 3
"""Texts that a suspect stands in: what is said once or twice teaches nothing."""

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?|[|#@$%&*~^<>_]{1,2}[^\s]*", re.UNICODE)


def of_rankings(rankings: Sequence[RankedPrompt]) -> tuple[list[str], list[str]]:
    """The texts of the newest rankings, what was asked and what won; and all others."""
    newest: list[str] = []
    others: list[str] = []
    ordered = sorted(rankings, key=lambda ranking: -ranking.ranking_id)
    for place, ranking in enumerate(ordered):
        mine = newest if place < NEWEST else others
        mine.append(last_user_message(ranking.messages))
        best = min((rank for rank in ranking.ranks if rank is not None), default=None)
        for answer, rank in zip(ranking.answers, ranking.ranks, strict=True):
            (mine if rank == best else others).append(answer.text)
    return newest, others


def suspects(
    newest: Iterable[str], others: Iterable[str], count: int, pieces: Callable[[str], int]
) -> list[str]:
    """At most `count`, the most telling first; `pieces` is into how many tokens a word falls."""
    new, old = [_said(text) for text in newest], [_said(text) for text in others]
    of_new, of_old = Counter(w for text in new for w in text), Counter(w for t in old for w in t)
    surprise = {
        word: _surprise(number, len(new), of_old[word], len(old))
        for word, number in of_new.items()
        if number >= LEAST
    }
    telling = sorted((w for w in surprise if surprise[w] > 0), key=lambda w: (-surprise[w], w))
    rare = [word for word in telling if " " not in word and pieces(word) > 1][: count // 2]
    return [*rare, *(word for word in telling if word not in rare)][:count]


def _said(text: str) -> set[str]:
    """A text's words and pairs of words."""
    words = [word.casefold() for word in _WORD.findall(text)]
    return {*words, *(f"{a} {b}" for a, b in pairwise(words))}


def _surprise(new: int, of_new: int, old: int, of_old: int) -> float:
    """How many standard errors the share among new texts lies above that among old ones, one text
    of each kind added to both.
    """
    ours, theirs = (new + 1) / (of_new + 2), (old + 1) / (of_old + 2)
    pooled = (new + old + 2) / (of_new + of_old + 4)
    return (ours - theirs) / math.sqrt(
        pooled * (1 - pooled) * (1 / (of_new + 2) + 1 / (of_old + 2))
    )
