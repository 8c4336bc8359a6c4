"""Is it getting better? Each version's win rates over the starting model and over the version
before, by people and by reward model apart. Pure.

By people: from rankings that hold answers of several versions, with style held constant
(compared.py). By reward model: the duel of the gate, which asks a model that PPO never saw; over
the starting model the log-odds of the duels on the way there, added, as if each judge measured on
one scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

from .compared import Comparisons
from .records import RoundInfo, VersionInfo
from .strengths import Z_95, Estimate

DUEL = "win_rate"
"""The check of the gate that is the duel."""

LEAST_SHARE = 0.001
"""A share of wins is not taken for nearer to 0 or 1: its log-odds would be without bound."""


@dataclass(frozen=True)
class WinRate:
    """A share of untied comparisons that is won, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Rates:
    """Over the starting model, and over the version that was live before."""

    over_base: WinRate | None
    over_previous: WinRate | None


@dataclass(frozen=True)
class Standing:
    """A version; `previous` is the one that was live when its round ran. `pairs` counts people's
    comparisons of its answers with other versions'.
    """

    version: str
    state: str
    previous: str | None
    created_at: float
    people: Rates
    model: Rates
    pairs: int


def standings(
    versions: Sequence[VersionInfo],
    rounds: Mapping[int, RoundInfo],
    was_live: Mapping[int, str],
    compared: Comparisons,
    base: str = "v0",
) -> list[Standing]:
    """Of these policies, oldest first; `was_live` is the live version by round."""
    previous = {v.id: was_live.get(v.round_id or 0) for v in versions}
    duels = {v.id: _duel(rounds.get(v.round_id or 0)) for v in versions}
    return [
        Standing(
            version=version.id,
            state=version.state,
            previous=before,
            created_at=version.created_at,
            people=Rates(
                _by_people(compared, version.id, base),
                _by_people(compared, version.id, before),
            ),
            model=Rates(
                _rate(_over_base(version.id, base, previous, duels)), _rate(duels[version.id])
            ),
            pairs=compared.pairs_of(version.id),
        )
        for version in versions
        for before in [previous[version.id]]
    ]


def _by_people(compared: Comparisons, version: str, other: str | None) -> WinRate | None:
    return None if other in (None, version) else _rate(compared.over(version, other or ""))


def _duel(info: RoundInfo | None) -> Estimate | None:
    """What the gate's judge said of the round's version against the live one, in log-odds. The
    interval is the gate's own, which is a little wider than of 95 %; one that is not on record
    could be any.
    """
    for reason in info.reasons if info else ():
        if reason.check == DUEL and reason.value is not None:
            low = 0.0 if reason.low is None else reason.low
            high = 1.0 if reason.high is None else reason.high
            return Estimate(_log_odds(reason.value), _log_odds(low), _log_odds(high))
    return None


def _over_base(
    version: str,
    base: str,
    previous: Mapping[str, str | None],
    duels: Mapping[str, Estimate | None],
) -> Estimate | None:
    """The duels from this version back to the base, added; None where one is missing."""
    value, variance, at = 0.0, 0.0, version
    seen = {version}
    while at != base:
        duel, before = duels.get(at), previous.get(at)
        if duel is None or before is None or before in seen:
            return None
        value += duel.value
        variance += ((duel.high - duel.low) / 2 / Z_95) ** 2
        seen.add(before)
        at = before
    if version == base:
        return None
    spread = Z_95 * sqrt(variance)
    return Estimate(value, value - spread, value + spread)


def _log_odds(share: float) -> float:
    held = min(max(share, LEAST_SHARE), 1 - LEAST_SHARE)
    return log(held / (1 - held))


def _rate(odds: Estimate | None) -> WinRate | None:
    if odds is None:
        return None
    value, low, high = (1 / (1 + exp(-x)) for x in (odds.value, odds.low, odds.high))
    return WinRate(value, low, high)
