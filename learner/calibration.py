"""Does a confidence of 70 % win 70 % of the time? Pure.

1. A gap of scores is no log-odds of its own: a scale makes it one, fitted on other conversations
   than it is judged on, as the gate's is on rankings that its judge has not seen.
2. Reliability: pairs by the probability stated for the likelier order, in five bins of a tenth
   from one half to certainty; in each, what was stated and what came. Their mean distance, weighted
   as rankings are, is the expected calibration error (Naeini et al. 2015; Guo et al. 2017,
   1706.04599).
3. It is never 0: simulated people who follow a model's odds exactly give .05 on 33 rankings of four
   answers, .03 on 67 and .02 on 200.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from learner.accuracy import Judged

BINS = 5


@dataclass(frozen=True)
class Bet:
    """A pair's likelier order: the probability stated for it, and 1 if people agreed, 0 if not, one
    half if neither order was likelier.
    """

    stated: float
    won: float
    weight: float


@dataclass(frozen=True)
class Calibration:
    """`error` is the expected calibration error; `bins` are (stated, won, share of the weight),
    least confident first, without empty ones.
    """

    error: float
    bins: tuple[tuple[float, float, float], ...]


def cross_fitted(pairs: Sequence[Judged]) -> list[Bet]:
    """Bets of one model on pairs it has not seen: the scale of each half of the conversations is
    fitted on the other half.
    """
    second = set(sorted({pair.conversation_id for pair in pairs})[::2])
    halves: tuple[list[Judged], list[Judged]] = ([], [])
    for pair in pairs:
        halves[pair.conversation_id in second].append(pair)
    return [
        bet for own, other in (halves, halves[::-1]) for bet in bets(own, log_odds_scale(other))
    ]


def bets(pairs: Sequence[Judged], scale: float) -> list[Bet]:
    """One for each pair, at sigmoid(scale * |gap|)."""
    return [
        Bet(_sigmoid(scale * abs(p.gap)), (p.gap > 0) + 0.5 * (p.gap == 0), p.weight) for p in pairs
    ]


def calibration(bets: Sequence[Bet]) -> Calibration:
    """How far what was stated is from what came; 0 for no bets."""
    binned: dict[int, list[Bet]] = defaultdict(list)
    for bet in bets:
        binned[min(BINS - 1, int((bet.stated - 0.5) * 2 * BINS))].append(bet)
    total = sum(bet.weight for bet in bets)
    found = tuple(_mean(binned[number], total) for number in sorted(binned))
    return Calibration(sum(share * abs(stated - won) for stated, won, share in found), found)


def _mean(bets: Sequence[Bet], total: float) -> tuple[float, float, float]:
    """(stated, won, share of `total`) of a bin, weighted."""
    weight = sum(bet.weight for bet in bets)
    stated = sum(bet.weight * bet.stated for bet in bets) / weight
    return stated, sum(bet.weight * bet.won for bet in bets) / weight, weight / total


def log_odds_scale(pairs: Sequence[Judged]) -> float:
    """What a gap is to be multiplied by to be the log-odds that people put the better one first.

    The maximum of the likelihood over pairs that the model has not seen (Platt 1999, without the
    offset), by bisection of its slope; between 0.05 and 20, so that chance leaves an order too.
    """
    low, high = 0.05, 20.0
    for _ in range(40):
        scale = math.sqrt(low * high)
        if sum(p.weight * p.gap * _sigmoid(-scale * p.gap) for p in pairs) > 0:
            low = scale
        else:
            high = scale
    return low


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, x))))
