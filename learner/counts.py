"""How many rankings a step has of each kind, which the terms of its loss are means over."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from learner.ranked_group import RankedGroup


@dataclass(frozen=True)
class Counts:
    """Of some rankings: all, those with ranks, ratings by criteria, and orders by criteria."""

    rankings: int
    ranked: int
    rated: int
    ordered: int

    @classmethod
    def of(cls, rankings: Sequence[RankedGroup], criteria: Collection[str]) -> Counts:
        """Count them."""
        rated = [(~r.given_KC(criteria).isnan()).sum().item() for r in rankings if criteria]
        ordered = [len(r.orders.keys() & {*criteria}) for r in rankings]
        ranked = sum(bool(r.ranks) for r in rankings)
        return cls(len(rankings), ranked, int(sum(rated)), sum(ordered))

    def share(self, step: Counts, term: str) -> float:
        """What part these are of the whole step's."""
        whole: int = getattr(step, term)
        own: int = getattr(self, term)
        return own / whole if whole else 0.0
