"""Looks at the product's processes, and kills one now and then."""

from __future__ import annotations

import os
import random
import re
import signal
import threading
from pathlib import Path

from benchmarks.night.journal import Journal, Kill, Sample
from benchmarks.sides import family

ROLES = ("server", "decoder", "learner", "ui")
EVERY_S = 5.0


def spawned(data: Path) -> dict[str, int]:
    """The process that was started last in each role, as far as it lives."""
    log = (data / "rankloop.log").read_text(encoding="utf-8")
    found = {}
    for role in ("server", "learner", "ui"):
        pids = re.findall(rf"spawned: '{role}' with pid (\d+)", log)
        if pids and Path(f"/proc/{pids[-1]}").exists():
            found[role] = int(pids[-1])
    if "server" in found and (decoder := _decoder(found["server"])):
        found["decoder"] = decoder
    return found


def _decoder(server: int) -> int | None:
    """The child of the server's that holds the model: its largest."""
    children = family(server)[1:]
    return max(children, key=_resident_kib, default=None)


def _resident_kib(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE") // 1024


def sample(data: Path, journal: Journal, stop: threading.Event) -> None:
    """Every few seconds, until told to stop."""
    while not stop.wait(EVERY_S):
        for role, pid in spawned(data).items():
            try:
                files = len(os.listdir(f"/proc/{pid}/fd"))
            except OSError:
                continue
            mib = _resident_kib(pid) / 1024
            if mib:
                journal.samples.append(Sample(journal.now_s, role, pid, mib, files))


def kill(
    data: Path, journal: Journal, stop: threading.Event, rng: random.Random, pause_s: float
) -> None:
    """SIGKILL to a role in turn, with pauses of chance about so long, until told to stop."""
    roles = [*ROLES]
    rng.shuffle(roles)
    while not stop.wait(rng.uniform(0.5, 1.5) * pause_s):
        role = roles.pop(0)
        roles.append(role)
        pid = spawned(data).get(role)
        if pid is not None:
            journal.kills.append(Kill(journal.now_s, role))
            os.kill(pid, signal.SIGKILL)
