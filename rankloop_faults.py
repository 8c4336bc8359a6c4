"""Named points where what is published, kept and swapped passes, and a process can be made to fail.

    FAULT_AT=versions.rename:full:2     the second time it passes there its disk is full

For tests alone, by the environment that a process starts with: no setting and no route reaches it,
and without the variable a point is one look into a dictionary.
"""

from __future__ import annotations

import errno
import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping

FAULT_AT = "FAULT_AT"
"""The environment variable: POINT:FAULT or POINT:FAULT:TIME, where the first time is 1."""

_passed: Counter[str] = Counter()


def point(name: str) -> None:
    """Fail here, if this is the point and the time; else nothing."""
    if FAULT_AT in os.environ:
        _pass(name, os.environ[FAULT_AT])


def _pass(name: str, armed: str) -> None:
    at, fault, *time = armed.split(":")
    if at != name:
        return
    _passed[name] += 1
    if _passed[name] == int(time[0] if time else 1):
        FAULTS[fault]()


def _signal(number: signal.Signals) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def _error(number: int) -> Callable[[], None]:
    def fail() -> None:
        raise OSError(number, os.strerror(number))

    return fail


def _no_memory() -> None:
    raise MemoryError("no memory is left")


FAULTS: Mapping[str, Callable[[], None]] = {
    "kill": _signal(signal.SIGKILL),
    "stall": _signal(signal.SIGSTOP),
    "full": _error(errno.ENOSPC),
    "io": _error(errno.EIO),
    "memory": _no_memory,
}
"""Dead at once; stopped until somebody sends SIGCONT; the disk full; the disk broken; no memory."""
