"""The peak of this process's resident memory over a piece of work, as Linux counts it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident_bytes() -> int:
    """What this process holds now."""
    return _status("VmRSS")


def start_peak() -> None:
    """The peak starts anew (proc(5))."""
    gc.collect()
    CLEAR.write_text("5")


def peak_bytes() -> int:
    """The most that this process held since."""
    return _status("VmHWM")


def peak_over(call: Callable[[], object]) -> int:
    """Bytes that `call` takes at most above what was held before it."""
    start_peak()
    before = resident_bytes()
    call()
    return peak_bytes() - before


def _status(name: str) -> int:
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(lines[name].split()[0]) * 1024
