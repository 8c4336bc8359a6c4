"""What rounds that are over have left on the disk. Light: the learner looks between rounds."""

from __future__ import annotations

import shutil
from pathlib import Path

from feedback.store import Store


def clear_states(store: Store, root: Path) -> None:
    """Remove the states of rounds that are over, whoever ended them."""
    for folder in root.glob("*"):
        if folder.name.isdecimal() and store.round(int(folder.name)).decided_at is not None:
            shutil.rmtree(folder)
