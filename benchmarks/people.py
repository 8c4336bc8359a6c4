"""Simulated people, who rank answers by a hidden preference. Pure; knows no HTTP."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Score = Callable[[Sequence[Mapping[str, str]], str], float]

RANDOM_SHARE = 0.1


@dataclass(frozen=True)
class People:
    """Twenty people who share a taste; exactly that share of their rankings, a tenth unless told
    otherwise, is random.
    """

    score: Score
    rankings: int
    seed: int
    count: int = 20
    random_share: float = RANDOM_SHARE

    @property
    def careless(self) -> frozenset[int]:
        """Which of the rankings, by number from 0, are random."""
        share = round(self.random_share * self.rankings)
        return frozenset(random.Random(self.seed).sample(range(self.rankings), share))

    def name(self, number: int) -> str:
        """Who gives that ranking: they take turns."""
        return f"person-{number % self.count:02d}"

    def ranks(
        self, number: int, messages: Sequence[Mapping[str, str]], replies: Sequence[str]
    ) -> list[int]:
        """1 is best and equal is a tie; a random ranking is a permutation."""
        if number in self.careless:
            order = list(range(1, len(replies) + 1))
            random.Random(f"{self.seed}/{number}").shuffle(order)
            return order
        return ranks_of([self.score(messages, reply) for reply in replies])


def ranks_of(scores: Sequence[float]) -> list[int]:
    """Dense ranks, the highest score first: [0, 1, 1, .5] -> [3, 1, 1, 2]."""
    order = sorted(set(scores), reverse=True)
    return [order.index(score) + 1 for score in scores]


def load_preference(spec: str) -> Score:
    """The function named by `FILE.py:function`. Raises ValueError where there is none."""
    path, colon, name = spec.rpartition(":")
    if not colon or not Path(path).is_file():
        raise ValueError(f"--preference {spec}: give FILE.py:function")
    module_spec = importlib.util.spec_from_file_location("preference", path)
    assert module_spec is not None, "a path that ends in .py has a loader"
    assert module_spec.loader is not None, "a path that ends in .py has a loader"
    module = importlib.util.module_from_spec(module_spec)
    sys.modules["preference"] = module  # dataclasses look their module up by name
    module_spec.loader.exec_module(module)
    score = getattr(module, name, None)
    if not callable(score):
        raise ValueError(f"--preference {spec}: {path} has no function {name}")
    found: Score = score
    return found
