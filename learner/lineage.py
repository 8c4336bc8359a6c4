"""Which weights a round goes on from, and which it is held near.

It goes on from the live version's, or from the last version in the shadow that was made from it;
unless rounds since have led over it without the gate being sure: then from the last one's. A judge
of few rankings sees about a third of a small step, so what
such a round gained would be thrown away and have to be gained again. To serve, a version must still
win against the live one.

It is held near what people showed, where they showed anything, else near the starting model.
"""

from __future__ import annotations

from collections.abc import Mapping

from feedback.records import RoundInfo, VersionInfo
from feedback.store import Store
from feedback.trust.alarm import ALARM
from learner.settings import LearnerSettings
from policy.versions import Versions

RECENT = 3
"""Rounds for which a start is good: one from which the next three did not lead leads nowhere."""

OTHER_KIND = {
    "lora": "{id} holds full weights and learner.weights is lora: adapters lie over v0. Set "
    "learner.weights to full, or make v0 or an adapter live.",
    "full": "{id} is an adapter and learner.weights is full: full weights go on from full ones. "
    "Set learner.weights to lora, or make v0 or a full version live.",
}
"""By `learner.weights`, what is said of a version of the other kind."""


class WrongWeights(ValueError):
    """A version that these settings cannot go on from; the text says what to do."""


def refusal(versions: Versions, id: str, settings: LearnerSettings) -> str | None:
    """Why a round cannot go on from this version, None if it can. Raises UnknownVersion,
    CorruptVersion."""
    other = "full" if settings.weights == "lora" else "adapter"
    return OTHER_KIND[settings.weights].format(id=id) if versions.read(id).kind == other else None


def start_of(store: Store, live: str) -> str:
    """The version of one of the last three rounds that leads over the live one and was made from
    it; else the last one in the shadow that was made from it, else the live one."""
    versions = {version.id: version for version in store.versions()}
    base = _shadow_of(versions, live)
    over = [info for info in store.rounds() if info.decided_at is not None]
    leading = {info.version_id: versions.get(info.version_id or "") for info in over if _led(info)}
    for info in over[:RECENT]:
        if _descends(leading.get(info.version_id), base, leading):
            return info.version_id or base
    return base


def _shadow_of(versions: Mapping[str, VersionInfo], live: str) -> str:
    """The last version in the shadow that goes back to the live one, by way of whatever; else the
    live one.
    """
    for version in reversed([*versions.values()]):
        if version.state == "shadow" and live in _ancestors(versions, version.id):
            return version.id
    return live


def _ancestors(versions: Mapping[str, VersionInfo], id: str) -> list[str]:
    found: list[str] = []
    parent = versions[id].parent
    while parent is not None and parent in versions:
        found.append(parent)
        parent = versions[parent].parent
    return found


def _led(info: RoundInfo) -> bool:
    """Whether its version passed all checks but the duel, and was ahead in it. An alarm over what
    was left out is no check of the version.
    """
    lost = [reason for reason in info.reasons if not reason.passed and reason.check != ALARM]
    return [reason.check for reason in lost] == ["win_rate"] and (lost[0].value or 0.0) > 0.5


def _descends(
    version: VersionInfo | None, base: str, leading: Mapping[str | None, VersionInfo | None]
) -> bool:
    """Whether it was made from this version, by way of nothing but others that led. One that
    people have let serve or have rejected themselves is no start."""
    if version is None or [event.to_state for event in version.events] != ["trained", "rejected"]:
        return False
    return version.parent == base or _descends(leading.get(version.parent), base, leading)


def reference_of(store: Store, live: str) -> str:
    """The last fine-tuned version among the live one and those that it was made from; v0 where
    there is none. One that was rejected or rolled back is passed over.
    """
    versions = {version.id: version for version in store.versions()}
    id: str | None = live
    while id is not None and id in versions:
        version = versions[id]
        if version.figures.get("stage") == "sft" and version.state in ("live", "retired"):
            return id
        id = version.parent
    return "v0"
