"""Rankings to weighted comparisons, how far people agree, and the split by conversation. Pure:
knows no database and no tensors.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

THUMB = "thumb"
"""The criterion of thumbs: 1 is up, 0 is down."""

IMPORTED = "imported"
"""The version of answers that came from a file: they and their prompts have no token ids."""

LOWEST, HIGHEST = 1.0, 7.0
"""The ends of the scale that criteria are rated on."""


@dataclass(frozen=True)
class Answer:
    """A ranked candidate, with the tokens that were sampled and the version that sampled them."""

    candidate_id: str
    text: str
    token_ids: tuple[int, ...]
    version: str


def came_from_file(answers: Sequence[Answer]) -> bool:
    """Whether no version of ours gave any of them."""
    return all(answer.version == IMPORTED for answer in answers)


@dataclass(frozen=True)
class RankedPrompt:
    """One ranking of the answers to one prompt; `ranks` is as long as `answers`, 1 is best, None
    unranked; so are `ratings`, by criterion. `weight` is how many rankings it counts for;
    `criterion` what alone they were ranked by, None as a whole.
    """

    ranking_id: int
    conversation_id: str
    person: str
    split: str
    messages: tuple[tuple[str, str], ...]
    prompt_ids: tuple[int, ...]
    answers: tuple[Answer, ...]
    ranks: tuple[int | None, ...]
    none_acceptable: bool = False
    ratings: Mapping[str, Sequence[float | None]] | None = None
    weight: float = 1.0
    criterion: str | None = None


@dataclass(frozen=True)
class MarkedPrompt:
    """What one person said of the answers to one prompt, each by itself: `values` by criterion, as
    long as `answers`, None where nothing was said.
    """

    mark_ids: tuple[int, ...]
    conversation_id: str
    person: str
    split: str
    messages: tuple[tuple[str, str], ...]
    prompt_ids: tuple[int, ...]
    answers: tuple[Answer, ...]
    values: Mapping[str, tuple[float | None, ...]]

    @property
    def imported(self) -> bool:
        """Whether the answers came from a file."""
        return came_from_file(self.answers)

    @property
    def thumbs(self) -> bool:
        """Whether any answer has a thumb."""
        return THUMB in self.values


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


def agreement(rankings: Iterable[RankedPrompt], *, ties: bool = False) -> float | None:
    """The share of pairs of people who say the same of two answers, which no model can beat by
    much; None where no two people compared the same two.

    Two answers count once, however many people compared them, and a person's last word counts.
    With `ties` a tie is an answer like the others; without, those who tied the two are left out.
    """
    said: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for ranked in rankings:
        for pair, order in _orders(ranked):
            said[pair][ranked.person] = order
    shares = []
    for orders in said.values():
        words = [order for order in orders.values() if order or ties]
        if len(words) > 1:
            shares.append(fmean(one == other for one, other in combinations(words, 2)))
    return fmean(shares) if shares else None


def _orders(ranked: RankedPrompt) -> Iterator[tuple[tuple[str, str], int]]:
    """Each compared pair of candidates' ids, smaller first, with 1 where that one is better, -1
    where the other is, 0 for a tie.
    """
    for pair in comparisons(ranked):
        better, worse = (ranked.answers[place].candidate_id for place in (pair.better, pair.worse))
        order = 0 if pair.tie else 1 if better < worse else -1
        yield (min(better, worse), max(better, worse)), order


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


def last_user_message(messages: Iterable[tuple[str, str]]) -> str:
    """The content of the last message whose role is user; empty if there is none."""
    return first_user_message(reversed([*messages]))
