"""What must hold in the morning, read from the record, the folders and the journal."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.night.journal import Journal
from benchmarks.night.watch import ROLES
from feedback.database import connect
from feedback.store import Store
from policy.versions import CorruptVersion, UnknownVersion, Versions

DRIFT, MORE_FILES = 0.05, 5
LEAST_S = 300.0
"""A quiet time below this says nothing of what grows."""
SETTLED = 0.2
"""Of the quiet half: what comes before is the way to the usual size after a start."""
TRACE = "Traceback (most recent call last)"


def broken(data: Path, journal: Journal, quiet_s: float) -> list[str]:
    """What does not hold, in words. `quiet_s` is when the last kill was over."""
    store = Store.open(f"sqlite:///{data}/rankloop.db")
    try:
        return [
            *(f"after {at:.0f} s: {what}" for at, what in journal.faults),
            *_rankings(data, journal),
            *_versions(store, Versions(data / "versions"), journal),
            *_rounds(store),
            *_logs(data),
            *_drifts(journal, quiet_s),
        ]
    finally:
        store.close()


def _rankings(data: Path, journal: Journal) -> Iterator[str]:
    """Each that was acknowledged is there, once."""
    engine = connect(f"sqlite:///{data}/rankloop.db")
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT idempotency_key, id FROM ranking")).all()
    engine.dispose()
    kept = [(key, str(id)) for key, id in rows if key is not None]
    if lost := set(journal.acknowledged.items()) - set(kept):
        yield f"{len(lost)} acknowledged rankings are lost: {sorted(lost)[:3]}"
    if twice := len(kept) - len({key for key, _ in kept}):
        yield f"{twice} rankings are kept twice"


def _versions(store: Store, versions: Versions, journal: Journal) -> Iterator[str]:
    """What is live verifies, and whatever answered is on record."""
    known = {version.id for version in store.versions()}
    if strange := journal.answers.keys() - known:
        yield f"answers of versions that nobody knows: {sorted(strange)}"
    live = store.live().version
    try:
        versions.verify(live)
    except (UnknownVersion, CorruptVersion) as error:
        yield f"what is live does not verify: {error}"


def _rounds(store: Store) -> Iterator[str]:
    """None hangs, and none failed for anything but what the night did to it."""
    for row in store.rounds():
        if row.state in ("queued", "running"):
            yield f"round {row.id} is still {row.state}"
        if row.state == "failed":
            yield f"round {row.id} failed: {row.error}"


def _logs(data: Path) -> Iterator[str]:
    log = (data / "rankloop.log").read_text(encoding="utf-8")
    if found := log.count(TRACE):
        at = log.index(TRACE)
        yield f"{found} tracebacks in the log, the first: {log[at : at + 1500]}"


def _drifts(journal: Journal, quiet_s: float) -> Iterator[str]:
    if journal.end_s - quiet_s < LEAST_S:
        return
    for role, found in growth(journal, quiet_s).items():
        if found["memory"] > DRIFT:
            yield f"the {role}'s memory grew by {found['memory']:.1%}"
        if found["files"] > MORE_FILES:
            yield f"the {role} has {found['files']:.0f} more files open"


def growth(journal: Journal, quiet_s: float) -> dict[str, dict[str, Any]]:
    """Of each role, from the first to the last third of the quiet time: by how much of itself its
    memory grew, and how many more files are open. Medians, so that rounds and bursts count alike.
    """
    end_s = journal.end_s
    begin_s = quiet_s + SETTLED * (end_s - quiet_s)
    third_s, found = (end_s - begin_s) / 3, {}
    for role in ROLES:
        seen = journal.of(role, begin_s)
        first = [s for s in seen if s.at_s < begin_s + third_s]
        last = [s for s in seen if s.at_s > end_s - third_s]
        if first and last:
            mib = [statistics.median(s.resident_mib for s in part) for part in (first, last)]
            files = [statistics.median(s.files for s in part) for part in (first, last)]
            found[role] = {
                "mib": round(mib[1], 1),
                "memory": round(mib[1] / mib[0] - 1, 4),
                "files": files[1] - files[0],
            }
    return found
