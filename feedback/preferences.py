"""Rankings to weighted comparisons, and the split by conversation. Pure: knows no database and no
tensors.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations


@dataclass(frozen=True)
class Answer:
    """A ranked candidate, with the tokens that were sampled and the version that sampled them."""

    candidate_id: str
    text: str
    token_ids: tuple[int, ...]
    version: str


@dataclass(frozen=True)
class RankedPrompt:
    """One ranking of the answers to one prompt; `ranks` is as long as `answers`, 1 is best, None
    unranked.
    """

    ranking_id: int
    conversation_id: str
    person: str
    split: str
    messages: tuple[tuple[str, str], ...]
    prompt_ids: tuple[int, ...]
    answers: tuple[Answer, ...]
    ranks: tuple[int | None, ...]


@dataclass(frozen=True)
class Comparison:
    """Two answers of a ranking, as places in its `answers`. A tie counts half in each direction."""

    better: int
    worse: int
    weight: float
    tie: bool


def comparisons(ranked: RankedPrompt) -> list[Comparison]:
    """All C(K,2) pairs of the K ranked answers, each of weight 1/C(K,2): every ranking weighs one
    in all.

    Unranked answers are in no pair; fewer than two ranked answers give none. InstructGPT, section
    3.5: pairs of one prompt belong together, or the reward model overfits within an epoch.
    """
    placed = [(place, rank) for place, rank in enumerate(ranked.ranks) if rank is not None]
    pairs = list(combinations(placed, 2))
    return [_compare(*left, *right, weight=1 / len(pairs)) for left, right in pairs]


def _compare(a: int, rank_a: int, b: int, rank_b: int, *, weight: float) -> Comparison:
    better, worse = (a, b) if rank_a <= rank_b else (b, a)
    return Comparison(better, worse, weight, tie=rank_a == rank_b)


def split_of(first_user_message: str, judge_share: float = 1 / 2) -> str:
    """The side, train or judge, by the normalised message's hash: no prompt is on both."""
    normal = normalise(first_user_message).encode("utf-8", "surrogatepass")
    share = int.from_bytes(hashlib.sha256(normal).digest()[:8], "big") / 2**64
    return "judge" if share < judge_share else "train"


def normalise(text: str) -> str:
    """Letters and digits only, case folded, single spaces; text without either is kept, but for
    its spaces.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in folded).split()
    return " ".join(words or folded.split())


def first_user_message(messages: Iterable[tuple[str, str]]) -> str:
    """The content of the first message whose role is user; empty if there is none."""
    return next((content for role, content in messages if role == "user"), "")
