"""How much memory there is: the machine's, or what its control group may take of it; and what this
process has of it."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
UNLIMITED = 2**63


def machine_bytes() -> int:
    """The machine's memory, or the container's limit if that is lower."""
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(installed, _figure("memory.max", "memory/memory.limit_in_bytes", missing=UNLIMITED))


def available_bytes() -> int:
    """Free memory, or what the container's limit leaves of it."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    limit = _figure("memory.max", "memory/memory.limit_in_bytes", missing=UNLIMITED)
    used = _figure("memory.current", "memory/memory.usage_in_bytes", missing=0)
    return min(free, limit - used)


def resident_bytes() -> int:
    """What this process holds; 0 where the system does not say."""
    statm = Path("/proc/self/statm")
    pages = int(statm.read_text().split()[1]) if statm.exists() else 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _figure(*names: str, missing: int) -> int:
    """The first of these control-group figures that is a number."""
    for name in names:
        try:
            return int((CGROUP / name).read_text())
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return missing
