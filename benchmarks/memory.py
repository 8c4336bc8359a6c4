"""The peak of this process's resident memory over a piece of work, as Linux counts it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident_bytes() -> int:
    """What this process holds now."""
    return _status("VmRSS")


def peak_over(call: Callable[[], object]) -> int:
    """Bytes that `call` takes at most above what was held before it."""
    gc.collect()
    before = resident_bytes()
    CLEAR.write_text("5")  # the peak starts anew (proc(5))
    call()
    return _status("VmHWM") - before


def _status(name: str) -> int:
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(lines[name].split()[0]) * 1024
