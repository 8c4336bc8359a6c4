"""A ranking as statistics read it: what was ranked, how, and under which circumstances."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from ..preferences import RankedPrompt, came_from_file

Ranks = Sequence[int | None]
Pair = tuple[str, str]


@dataclass(frozen=True)
class Judgement:
    """One ranking. `lengths` are the answers' in characters; `shown` is the place at which each
    was shown, 0 first; `gold` the ranks that are known to be right; `earlier` the ranks that
    the same person had given these answers before being asked again. None is: not known, or none.
    `imported`: it came from a file, with the answers.
    """

    ranking_id: int
    person: str
    candidates: tuple[str, ...]
    ranks: tuple[int | None, ...]
    lengths: tuple[int, ...]
    shown: tuple[int, ...] | None = None
    seconds: float | None = None
    gold: tuple[int | None, ...] | None = None
    earlier: tuple[int | None, ...] | None = None
    imported: bool = False

    @classmethod
    def of(cls, ranked: RankedPrompt) -> Judgement:
        """What a stored ranking says by itself."""
        ids = tuple(answer.candidate_id for answer in ranked.answers)
        lengths = tuple(len(answer.text) for answer in ranked.answers)
        imported = came_from_file(ranked.answers)
        id, person = ranked.ranking_id, ranked.person
        return cls(id, person, ids, ranked.ranks, lengths, imported=imported)

    def orders(self) -> Iterator[tuple[Pair, int]]:
        """Each two ranked candidates, smaller id first, with what was said of them."""
        return pair_orders(self.candidates, self.ranks)


def pair_orders(candidates: Sequence[str], ranks: Ranks) -> Iterator[tuple[Pair, int]]:
    """Each two ranked candidates, smaller id first: 1 where the first is better, -1 where the
    second is, 0 for a tie.
    """
    placed = sorted((c, r) for c, r in zip(candidates, ranks, strict=True) if r is not None)
    for (first, rank), (second, other) in combinations(placed, 2):
        yield (first, second), order(rank, other)


def order(rank: int, other: int) -> int:
    """1 where the first rank is the better one, -1 where the second is, 0 for a tie."""
    return (rank < other) - (rank > other)


def by_person(judgements: Iterable[Judgement]) -> dict[str, list[Judgement]]:
    """Everybody's judgements, in their order."""
    found: dict[str, list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        found[judgement.person].append(judgement)
    return dict(found)


def by_item(judgements: Iterable[Judgement]) -> list[dict[str, Judgement]]:
    """Of each set of candidates that two or more people ranked, each one's last judgement."""
    found: dict[frozenset[str], dict[str, Judgement]] = defaultdict(dict)
    for judgement in judgements:
        found[frozenset(judgement.candidates)][judgement.person] = judgement
    return [people for people in found.values() if len(people) > 1]
