"""How often a person is right where the right order is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .judgements import Judgement, pair_orders


@dataclass(frozen=True)
class Tally:
    """So many right of so many; a tie where one answer is better is half right."""

    right: float = 0.0
    count: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.right + other.right, self.count + other.count)

    @property
    def share(self) -> float | None:
        """None of nothing."""
        return self.right / self.count if self.count else None


def on_gold(judgements: Iterable[Judgement]) -> Tally:
    """The pairs that gold orders, and how many were ordered so."""
    total = Tally()
    for judgement in judgements:
        if judgement.gold is not None:
            known = dict(pair_orders(judgement.candidates, judgement.gold))
            said = dict(judgement.orders())
            for pair, true in known.items():
                if true and pair in said:
                    total += Tally((1 + true * said[pair]) / 2, 1)
    return total
