"""What was seen from outside, by moment: answers, rankings, faults, kills, memory."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

FORGIVEN_S = 60.0
"""So long after a kill of the server a request may find nobody, or a model that is being read."""


@dataclass(frozen=True)
class Kill:
    """A process that was killed, by its role, and when."""

    at_s: float
    role: str


@dataclass(frozen=True)
class Sample:
    """A role's process at a moment: its memory and that of its children, and open files."""

    at_s: float
    role: str
    pid: int
    resident_mib: float
    files: int


@dataclass
class Journal:
    """Lists that only grow; any thread may append. Times are seconds since it was begun."""

    began: float = field(default_factory=time.monotonic)
    answers: Counter[str] = field(default_factory=Counter)
    """Whole answers by the version that gave them."""
    left: int = 0
    """Answers that their client did not wait for."""
    acknowledged: dict[str, str] = field(default_factory=dict)
    """Rankings that the server said are kept: Idempotency-Key -> id."""
    excused: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[float, str]] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    moves: list[tuple[float, str]] = field(default_factory=list)
    """Promotions and rollbacks that an operator asked for."""
    samples: list[Sample] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def now_s(self) -> float:
        return time.monotonic() - self.began

    @property
    def end_s(self) -> float:
        """When a process was last looked at."""
        return max((sample.at_s for sample in self.samples), default=0.0)

    def answered(self, version: str) -> None:
        with self.lock:
            self.answers[version] += 1

    def failed(self, what: str) -> None:
        """A request that failed: the price of a kill just before, or else a fault."""
        now = self.now_s
        excused = any(
            kill.role in ("server", "decoder") and kill.at_s <= now < kill.at_s + FORGIVEN_S
            for kill in self.kills
        )
        with self.lock:
            if excused:
                self.excused[what] += 1
            else:
                self.faults.append((now, what))

    def of(self, role: str, since_s: float = 0.0) -> Sequence[Sample]:
        """A role's samples from a moment on."""
        return [s for s in self.samples if s.role == role and s.at_s >= since_s]
