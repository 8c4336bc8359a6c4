"""Making room on the disk: the files of old versions that nobody needs any more."""

from __future__ import annotations

import logging

from feedback.store import Store
from learner.lineage import reference_of, start_of
from policy.versions import Versions

log = logging.getLogger("rankloop.learner")


def prune(store: Store, versions: Versions, newest: int) -> None:
    """Remove the files of versions that are not kept (feedback/pruning.py). First it is on record
    that they go, so that nobody brings one back meanwhile; what a killed learner has left of them
    goes the next time.
    """
    live = store.live().version
    needed = {reference_of(store, live), start_of(store, live)}
    store.prune_versions(newest, needed)
    for id in set(store.pruned_versions()) & set(versions.ids()):
        log.info("the files of %s go: they are no longer needed", id)
        versions.remove(id)
