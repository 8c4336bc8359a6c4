"""Two versions against each other, in rankings that hold answers of both. Pure.

A ranking counts once, whatever the number of its answers, and a prompt once, by whoever ranked it
first: what further people say of the same answers is no new evidence on the versions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .preferences import RankedPrompt
from .sequential import Tally


def tally(rankings: Iterable[RankedPrompt], one: str, other: str) -> Tally:
    """How often the one came out above the other, over rankings in the order of their coming."""
    first: dict[tuple[tuple[str, str], ...], int] = {}
    for ranked in rankings:
        found = outcome(ranked, one, other)
        if found is not None:
            first.setdefault(ranked.messages, found)
    counts = Counter(first.values())
    return Tally(counts[1], counts[-1], counts[0])


def outcome(ranked: RankedPrompt, one: str, other: str) -> int | None:
    """1 where more pairs of their answers have the one's above than below, -1 where fewer, 0 where
    as many; None where the ranking compares no two.
    """
    ranks = [
        (answer.version, rank)
        for answer, rank in zip(ranked.answers, ranked.ranks, strict=True)
        if rank is not None
    ]
    ours = [rank for version, rank in ranks if version == one]
    theirs = [rank for version, rank in ranks if version == other]
    if not ours or not theirs:
        return None
    lead = sum((mine < its) - (mine > its) for mine in ours for its in theirs)
    return (lead > 0) - (lead < 0)
