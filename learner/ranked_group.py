"""What a person said of one prompt's answers, as reward models are trained and examined on it.

Axes: K answers, C criteria.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from learner.batching import Group


@dataclass(frozen=True)
class RankedGroup:
    """One ranking's answers, with ranks (1 is best) and texts; unranked ones are left out. Without
    any rank it is what was said of answers each by itself.

    `ratings` are the same person's of the criterion "overall", None for an answer without;
    `thumbs` what was said of each answer by itself, `criteria` its standardised ratings by name;
    `orders` are the answers' ranks by one criterion alone, by its name. `weight` is how many
    rankings it counts for.
    """

    conversation_id: str
    group: Group
    ranks: tuple[int, ...]
    texts: tuple[str, ...]
    none_acceptable: bool = False
    ratings: tuple[float | None, ...] | None = None
    thumbs: tuple[bool, ...] | None = None
    criteria: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    weight: float = 1.0
    orders: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def given_KC(self, names: Iterable[str]) -> Tensor:
        """The ratings of each answer by these criteria, NaN where there is none."""
        nothing = (None,) * len(self.group.replies)
        rows = [self.criteria.get(name, nothing) for name in names]
        return torch.tensor([[math.nan if v is None else v for v in row] for row in rows]).T

    @property
    def good(self) -> tuple[bool, ...] | None:
        """Whether each answer is good: as was said of it, else the top group is, unless none is
        acceptable. None where all are tied, which says nothing of either.
        """
        if self.thumbs is not None:
            return self.thumbs
        if self.none_acceptable:
            return (False,) * len(self.ranks)
        best = min(self.ranks)
        return None if max(self.ranks) == best else tuple(rank == best for rank in self.ranks)
