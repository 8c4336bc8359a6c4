"""What rounds that are over have left on the disk. Light: the learner looks between rounds."""

from __future__ import annotations

import shutil
from pathlib import Path

from feedback.errors import UnknownRound
from feedback.store import Store


def clear_states(store: Store, root: Path) -> None:
    """Remove the states of rounds that are over, whoever ended them. Of a round that this database
    does not know it cannot be told.
    """
    for folder in root.glob("*"):
        if folder.name.isdecimal() and _is_over(store, int(folder.name)):
            shutil.rmtree(folder)


def _is_over(store: Store, id: int) -> bool:
    try:
        return store.round(id).decided_at is not None
    except UnknownRound:
        return False
