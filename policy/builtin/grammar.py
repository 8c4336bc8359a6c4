"""Is a text well-formed? It is, where its words follow each other as in the phrases of replies.

Numbers, names and facts are free: one may stand wherever another one stands. It knows no skill.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass
from itertools import pairwise

from policy.builtin.phrases import expanded
from policy.builtin.style import words

MAX_WORDS = 70
_STRANGE = 12  # one pair of neighbours in so many may be new
_START, _END, _NUMBER, _FREE = "<start>", "<end>", "<number>", "<word>"
_BREAK = re.compile(r"[.!?,:]+(?:\s+|$)|\n")
_BULLET = re.compile(r"^(?:- |\d\. )", re.MULTILINE)


@dataclass(frozen=True)
class Grammar:
    """The words of a language, and which follow each other between two marks of punctuation."""

    fixed: frozenset[str]  # words with a place of their own
    known: frozenset[str]
    pairs: frozenset[tuple[str, str]]

    @classmethod
    def read(cls, phrases: Iterable[str], free: Set[str]) -> Grammar:
        """The grammar of these phrases, in which the words of `free` can stand for each other."""
        clauses = [clause for phrase in phrases for clause in _clauses(phrase)]
        known = frozenset(word for clause in clauses for word in clause)
        fixed = known - free
        return cls(
            fixed,
            known | free,
            frozenset(pair for clause in clauses for pair in _pairs(clause, fixed)),
        )

    def accepts(self, text: str, context: str) -> bool:
        """Whether `text` says something once, in known words or the context's, in a known order."""
        clauses = _clauses(text)
        flat = [word for clause in clauses for word in clause]
        if not 0 < len(flat) <= MAX_WORDS or _cut(text):
            return False
        known = self.known | set(words(context))
        if any(word not in known and not word.isdigit() for word in flat) or _repeats(text, flat):
            return False
        found = [_pairs(clause, self.fixed) for clause in clauses]
        strange = sum(pair not in self.pairs for pairs in found for pair in pairs)
        return strange <= max(1, sum(map(len, found)) // _STRANGE) and found[-1][-1] in self.pairs


def _clauses(text: str) -> list[list[str]]:
    return [
        words(clause) for clause in _BREAK.split(expanded(_BULLET.sub("", text))) if words(clause)
    ]


def _pairs(clause: list[str], fixed: Set[str]) -> list[tuple[str, str]]:
    shapes = [_START, *(_shape(word, fixed) for word in clause), _END]
    return list(pairwise(shapes))


def _shape(word: str, fixed: Set[str]) -> str:
    return word if word in fixed else _NUMBER if word.isdigit() else _FREE


def _cut(text: str) -> bool:
    """Whoever begins with a capital ends with a mark."""
    letters = [letter for letter in text if letter.isalpha()]
    return bool(letters) and letters[0].isupper() and text.rstrip()[-1] not in ".!?"


def _repeats(text: str, flat: list[str]) -> bool:
    """The same word three times running, or the same long sentence twice."""
    thrice = any(flat[at] == flat[at + 1] == flat[at + 2] for at in range(len(flat) - 2))
    sentences = [
        " ".join(words(sentence)) for sentence in re.split(r"[.!?\n]+", _BULLET.sub("", text))
    ]
    long = [sentence for sentence in sentences if sentence.count(" ") > 1]
    return thrice or len(long) != len(set(long))
