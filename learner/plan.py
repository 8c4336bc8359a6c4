"""What a round is to do: the settings of now, or those on record where it repeats another round.

A repeat has the other's settings, seed, start and reference, so that of the same rankings the same
version comes. What cannot be repeated: the code's revision is not on record to be run again, nor is
a start whose folder is gone; and where the other published no version, all these are those of now.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from feedback.records import RoundInfo
from feedback.store import Store
from learner.fingerprint import AROUND
from learner.settings import LearnerSettings
from policy.versions import Versions


class CannotRepeat(ValueError):
    """What is on record of a round is not enough to run it again."""


@dataclass(frozen=True)
class Plan:
    """`start` is the version to go on from, `reference` the one to be held near; None are those
    that rounds have now.
    """

    settings: LearnerSettings
    seed: int
    start: str | None = None
    reference: str | None = None


def plan_of(store: Store, versions: Versions, settings: LearnerSettings, round_id: int) -> Plan:
    """Raises CannotRepeat, CorruptVersion."""
    line = list(_repeated(store, store.round(round_id)))
    published = next((info.version_id for info in line if info.version_id), None)
    if published is None or len(line) == 1:
        return Plan(settings, _seed(settings, line[-1]))
    if store.version(published).pruned:
        raise CannotRepeat(f"the files of {published} were removed to make room")
    manifest = versions.read(published)
    now = settings.model_dump(include=AROUND)
    try:
        recorded = LearnerSettings.model_validate({**manifest.settings, **now})
    except ValidationError as error:
        message = f"the settings of {published} are none that this release knows: {error}"
        raise CannotRepeat(message) from error
    reward = store.version(published).reward_id
    reference = store.version(reward).parent if reward else None
    return Plan(recorded, _seed(recorded, line[-1]), manifest.parent, reference)


def _repeated(store: Store, info: RoundInfo) -> Iterator[RoundInfo]:
    """The round, the one that it repeats, the one that that one repeats, and so on."""
    yield info
    if info.repeat_of is not None:
        yield from _repeated(store, store.round(info.repeat_of))


def _seed(settings: LearnerSettings, first: RoundInfo) -> int:
    return settings.seed + 1000 * first.id
