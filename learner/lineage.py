"""Which weights a round goes on from.

The live version's, unless rounds since have led over it without the gate being sure: then the last
one's. A judge of few rankings sees about a third of a small step, so what such a round gained would
be thrown away and have to be gained again. To serve, a version must still win against the live one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from feedback.records import RoundInfo, VersionInfo
from feedback.store import Store


def start_of(store: Store, live: str) -> str:
    """The last version that leads over the live one and was made from it; else the live one."""
    versions = {version.id: version for version in store.versions()}
    leading = {id: versions[id] for id in _leading(store.rounds()) if id in versions}
    return next((id for id in leading if _descends(leading[id], live, leading)), live)


def _leading(rounds: Sequence[RoundInfo]) -> list[str]:
    """Versions that passed all checks but the duel, and were ahead in it; newest first."""
    return [
        info.version_id
        for info in rounds
        if info.outcome == "rejected" and info.version_id is not None and _led(info)
    ]


def _led(info: RoundInfo) -> bool:
    lost = [reason for reason in info.reasons if not reason.passed]
    return [reason.check for reason in lost] == ["win_rate"] and (lost[0].value or 0.0) > 0.5


def _descends(version: VersionInfo, live: str, leading: Mapping[str, VersionInfo]) -> bool:
    """Whether it was made from the live version, by way of nothing but others that led. One that
    people have let serve since, or that has, is history and no start."""
    if version.state != "rejected" or any(event.to_state == "live" for event in version.events):
        return False
    if version.parent == live:
        return True
    parent = leading.get(version.parent or "")
    return parent is not None and _descends(parent, live, leading)
