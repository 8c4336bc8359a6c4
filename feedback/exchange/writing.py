"""What the formats' writers have in common."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from .values import Compared, Turns


def as_messages(turns: Turns) -> list[dict[str, str]]:
    """Turns as every chat format has them."""
    return [{"role": role, "content": content} for role, content in turns]


def as_answer(text: str) -> list[dict[str, str]]:
    """One answer as a list of messages."""
    return as_messages((("assistant", text),))


def untied(compared: Compared) -> Iterator[tuple[str, str]]:
    """All pairs of ranked answers that are no tie, as better and worse, in the answers' order."""
    ranked = [(a, r) for a, r in zip(compared.answers, compared.ranks, strict=True) if r]
    for (a, rank_a), (b, rank_b) in combinations(ranked, 2):
        if rank_a != rank_b and a != b:
            yield (a, b) if rank_a < rank_b else (b, a)


def dense(ranks: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """The same order with ranks 1, 2, 3, ...: none is left out."""
    places = {rank: place for place, rank in enumerate(sorted({r for r in ranks if r}), 1)}
    return tuple(None if rank is None else places[rank] for rank in ranks)


Line = dict[str, Any]
