"""What rounds that are over, or were cut off, have left on the disk. Light: the learner looks
between rounds.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from feedback.errors import UnknownRound
from feedback.store import Store
from policy.versions import Versions

log = logging.getLogger("rankloop.learner")


def clear_states(store: Store, root: Path) -> None:
    """Remove the states of rounds that are over, whoever ended them. Of a round that this database
    does not know it cannot be told.
    """
    for folder in root.glob("*"):
        if folder.name.isdecimal() and _is_over(store, int(folder.name)):
            shutil.rmtree(folder)


def clear_versions(store: Store, versions: Versions) -> None:
    """Remove folders that a round left unfinished, or did not live to register. Only whoever holds
    the lease may: another's version may be on its way to its row. Among versions of another record
    nothing is removed: they are all that there is of them.
    """
    versions.clear()
    known = {v.id for v in (*store.versions(), *store.versions(reward=True))}
    unknown = set(versions.ids()) - known
    if strange := sorted(id for id in unknown if not _was_given(store, id)):
        log.warning(
            "%s holds %s, which this record never gave: none of its versions is removed. "
            "Is database.url the record that they belong to?",
            versions.name,
            ", ".join(strange),
        )
        return
    for id in unknown:
        versions.remove(id)


def _was_given(store: Store, id: str) -> bool:
    return int(id[1:]) <= store.last_given(id[0])


def _is_over(store: Store, id: int) -> bool:
    try:
        return store.round(id).decided_at is not None
    except UnknownRound:
        return False
