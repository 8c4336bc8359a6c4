"""One writer at a time among processes, by a lock file that the system frees when its holder dies.

A holder that stalls is alive and would keep everybody waiting. It is waited for so long and no
longer; then others lock a new file, and the old one is nobody's.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

LOCK_S = 30.0
"""Seconds that a writer waits for another. Learners publish under a lease, so that one who still
writes while another may has stalled."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone until the block ends, but for a holder that stalls for longer than LOCK_S."""
    with _locked(path):
        yield


def _locked(path: Path) -> IO[str]:
    until = time.monotonic() + LOCK_S
    while True:
        file = path.open("w")
        if _had(file, path):
            return file
        file.close()
        if time.monotonic() > until:
            path.unlink(missing_ok=True)
            until = time.monotonic() + LOCK_S
        time.sleep(0.05)


def _had(file: IO[str], path: Path) -> bool:
    """Takes the lock if it is free and the file still the one that others look at."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(file.fileno()).st_ino == path.stat().st_ino
    except (BlockingIOError, FileNotFoundError):
        return False
