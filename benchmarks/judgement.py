"""Is the live version better, and is it still itself? Pure: scores and log-probabilities in.

1. Win rate: wins / (wins + losses) over prompts where the hidden score of the two answers differs.
2. Ceiling: the same figure for the best of many v0 samples, so what choosing alone could do.
3. Guard: the share of prompts with a right answer that greedy decoding gets right.
4. KL: the mean over replies of sum_t(log p_live - log p_v0), in nats per reply.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Z_95 = 1.959964


@dataclass(frozen=True)
class WinRate:
    """Wins, losses and ties of one side against the other."""

    wins: int
    losses: int
    ties: int

    @classmethod
    def of(cls, pairs: Iterable[tuple[float, float]]) -> WinRate:
        """From (score of one, score of the other), a prompt each."""
        outcomes = [(one > other) - (one < other) for one, other in pairs]
        return cls(outcomes.count(1), outcomes.count(-1), outcomes.count(0))

    @property
    def untied(self) -> int:
        return self.wins + self.losses

    @property
    def rate(self) -> float:
        """One half where nothing is untied: nobody is better."""
        return self.wins / self.untied if self.untied else 0.5

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.wins, self.untied)


def wilson(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval of a share; it stays within 0 and 1, unlike the textbook's."""
    if not trials:
        return 0.0, 1.0
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return (centre - spread) / scale, (centre + spread) / scale


def mean_kl(live: Sequence[Sequence[float]], base: Sequence[Sequence[float]]) -> float:
    """Nats per reply, from per-token log-probabilities of the same tokens under both."""
    ratios = [sum(ours) - sum(theirs) for ours, theirs in zip(live, base, strict=True)]
    return sum(ratios) / len(ratios)


def largest_gap(stored: Sequence[float], scored: Sequence[float]) -> float:
    """How far re-scoring is from what was stored, at the worst token."""
    return max((abs(a - b) for a, b in zip(stored, scored, strict=True)), default=0.0)
