"""What an operator should look at now: GET /v1/alarms, and a gauge for each in /metrics.

An alarm is read off the record and the disk when it is asked for; none is kept. What to do about
each stands in docs/operations.md, under its name.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import OperationalError

from feedback.records import LearnerInfo, RoundInfo

from ..errors import ApiError
from .operators import listed, of

if TYPE_CHECKING:
    from ..serving import Serving

router = APIRouter()

ROUNDS_IN_A_ROW = 3
"""So many rejected or failed ones in a row mean that something other than chance is wrong."""
LOOKED_AT = 10
"""Of the last rounds: cancelled ones among them do not count."""
LEAST_FREE_BYTES = 2**30
"""A round's state and a version of a small model take less; below it either may not fit."""
STILL_S = 900.0
"""Seconds without a step of a round, or a look for one. A step of a large model takes minutes."""
FULL_QUEUE = 0.9
"""Share of `server.queue` that is in flight."""


@dataclass(frozen=True)
class Alarm:
    """Something that is wrong now, and what is known of it."""

    name: str
    text: str


@router.get("/v1/alarms")
def alarms(request: Request) -> dict[str, Any]:
    """What is wrong now; an empty list when nothing is."""
    return listed([asdict(alarm) for alarm in raised(of(request))])


@dataclass(frozen=True)
class Seen:
    """What the alarms are read off; `over` are rounds that came to a decision, newest first."""

    learner: LearnerInfo
    over: Sequence[RoundInfo]
    exclusions: str | None
    free_bytes: int
    in_flight: int
    queue: int


def raised(serving: Serving) -> list[Alarm]:
    """The alarms of this moment. Raises ApiError while the record is not open."""
    seen = _see(serving)
    found = ((name, look(seen)) for name, look in LOOKS.items())
    return [Alarm(name, text) for name, text in found if text is not None]


def _see(serving: Serving) -> Seen:
    rounds = serving.store.rounds(limit=LOOKED_AT)
    return Seen(
        learner=serving.store.learner(),
        over=[row for row in rounds if row.outcome not in (None, "cancelled")],
        exclusions=serving.store.alarm(),
        free_bytes=shutil.disk_usage(serving.settings.data).free,
        in_flight=serving.in_flight,
        queue=serving.settings.server.queue,
    )


def _learner_dead(seen: Seen) -> str | None:
    if seen.learner.state != "dead":
        return None
    silent_s = seen.learner.heartbeat_age_s or 0.0
    since = f"{silent_s:.0f} s" if silent_s < 120 else f"{silent_s / 60:.0f} min"
    return f"The learner has not been heard of for {since}."


def _no_progress(seen: Seen) -> str | None:
    still_s = seen.learner.still_s or 0.0
    if seen.learner.state == "dead" or still_s < STILL_S:
        return None
    what = f"round {seen.learner.round_id}" if seen.learner.round_id else "its search for work"
    return f"The learner lives, and {what} has not gone on for {still_s / 60:.0f} minutes."


def _lease_lost(seen: Seen) -> str | None:
    if seen.learner.round_id is None or seen.learner.lease is not None:
        return None
    return f"Round {seen.learner.round_id} is begun, and no learner holds its lease."


def _rejected(seen: Seen) -> str | None:
    return _in_a_row(seen, "rejected")


def _failed(seen: Seen) -> str | None:
    return _in_a_row(seen, "failed")


def _in_a_row(seen: Seen, outcome: str) -> str | None:
    last = seen.over[:ROUNDS_IN_A_ROW]
    if len(last) < ROUNDS_IN_A_ROW or any(row.outcome != outcome for row in last):
        return None
    return f"The last {ROUNDS_IN_A_ROW} rounds were {outcome}; the newest is round {last[0].id}."


def _exclusions(seen: Seen) -> str | None:
    return seen.exclusions


def _kl(seen: Seen) -> str | None:
    """What the gate said of the last round's distance, where it was over its limit."""
    reasons = [reason for row in seen.over[:1] for reason in row.reasons]
    return next((r.text for r in reasons if r.check == "kl" and not r.passed), None)


def _disk(seen: Seen) -> str | None:
    if seen.free_bytes >= LEAST_FREE_BYTES:
        return None
    return f"{seen.free_bytes / 2**20:.0f} MiB are free on the data folder's disk."


def _queue(seen: Seen) -> str | None:
    if seen.in_flight < FULL_QUEUE * seen.queue:
        return None
    return f"{seen.in_flight} requests are in flight, of {seen.queue} that are taken."


LOOKS: Mapping[str, Callable[[Seen], str | None]] = {
    "learner_dead": _learner_dead,
    "no_progress": _no_progress,
    "lease_lost": _lease_lost,
    "rounds_rejected": _rejected,
    "rounds_failed": _failed,
    "exclusions": _exclusions,
    "kl": _kl,
    "disk": _disk,
    "queue": _queue,
}


class Alarms(Collector):
    """`rankloop_alarm` with each alarm's name: 1 while it is raised, else 0. While the record
    cannot be read there is none: that is what /readyz is for.
    """

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    def describe(self) -> Iterable[Metric]:
        return [_family()]

    def collect(self) -> Iterator[Metric]:
        family = _family()
        try:
            names = {alarm.name for alarm in raised(self._serving)}
        except (ApiError, OperationalError):
            return
        for name in LOOKS:
            family.add_metric([name], float(name in names))
        yield family


def _family() -> GaugeMetricFamily:
    return GaugeMetricFamily("rankloop_alarm", "1 while it is raised.", labels=["name"])
