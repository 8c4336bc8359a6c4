"""The peak of this process's memory over a piece of work: what is resident, as Linux counts it, or
what torch has allocated of a GPU."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import torch

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def held_bytes(device: str = "cpu") -> int:
    """What this process holds now."""
    return _status("VmRSS") if device == "cpu" else torch.cuda.memory_allocated(device)


def start_peak(device: str = "cpu") -> None:
    """The peak starts anew (proc(5))."""
    gc.collect()
    if device == "cpu":
        CLEAR.write_text("5")
    else:
        torch.cuda.reset_peak_memory_stats(device)


def peak_bytes(device: str = "cpu") -> int:
    """The most that this process held since."""
    return _status("VmHWM") if device == "cpu" else torch.cuda.max_memory_allocated(device)


def peak_over(call: Callable[[], object]) -> int:
    """Bytes that `call` takes at most above what was held before it."""
    start_peak()
    before = held_bytes()
    call()
    return peak_bytes() - before


def _status(name: str) -> int:
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(lines[name].split()[0]) * 1024
