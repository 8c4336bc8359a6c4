"""Krippendorff's alpha for ranks: 1 is full agreement, 0 what chance would give, below that people
contradict each other (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability").

Ranks are ordinal: the distance of two is the square of how many values lie between them, the two
themselves counted half. Units that fewer than two people judged say nothing and are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from .judgements import Judgement, by_item

Unit = Sequence[int]
"""The values that people gave to one and the same thing; who gave which does not matter."""


def alpha(units: Iterable[Unit]) -> float | None:
    """1 - observed / expected disagreement; None where nothing was judged twice, or where all
    values are one and the same, which leaves nothing to disagree about.
    """
    judged = [unit for unit in units if len(unit) > 1]
    together = _coincidences(judged)
    totals: dict[int, float] = defaultdict(float)
    for (value, _), count in together.items():
        totals[value] += count
    apart = _distances(totals)
    observed = sum(count * apart[pair] for pair, count in together.items())
    expected = sum(totals[a] * totals[b] * apart[a, b] for a in totals for b in totals)
    return 1 - (sum(totals.values()) - 1) * observed / expected if expected else None


def alpha_of_ranks(judgements: Iterable[Judgement]) -> float | None:
    """Over candidates, among those who ranked the same ones: ranks in other company are other
    values.
    """
    units: list[Unit] = []
    for people in by_item(judgements):
        given: dict[str, list[int]] = defaultdict(list)
        for judgement in people.values():
            for id, rank in zip(judgement.candidates, judgement.ranks, strict=True):
                if rank is not None:
                    given[id].append(rank)
        units += given.values()
    return alpha(units)


def _coincidences(units: Iterable[Unit]) -> dict[tuple[int, int], float]:
    """How often two values met in a unit; each unit's pairs weigh as much as its values."""
    found: dict[tuple[int, int], float] = defaultdict(float)
    for unit in units:
        for place, value in enumerate(unit):
            for other in (*unit[:place], *unit[place + 1 :]):
                found[value, other] += 1 / (len(unit) - 1)
    return found


def _distances(totals: Mapping[int, float]) -> dict[tuple[int, int], float]:
    """The ordinal distance of any two values."""
    below, mid = 0.0, {}
    for value in sorted(totals):
        mid[value] = below + totals[value] / 2
        below += totals[value]
    return {(a, b): (mid[a] - mid[b]) ** 2 for a in mid for b in mid}
