"""Files that are whole or not there, and stay through a power cut."""

from __future__ import annotations

import os
from pathlib import Path

from rankloop_faults import point

BESIDE = ".tmp-"
"""How the name of what is still being written begins."""


def write(path: Path, text: str) -> None:
    """Replaces a file whole or not at all, and syncs it."""
    beside = path.with_name(f"{BESIDE}{path.name}")
    try:
        beside.write_text(text)
        point("durable.write")
        sync(beside)
        beside.rename(path)
    finally:
        beside.unlink(missing_ok=True)
    sync(path.parent)


def sync(path: Path) -> None:
    """Waits until a file's content, or a folder's entries, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
