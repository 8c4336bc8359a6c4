"""What passes between the serving process and the one that decodes: orders there, reports back,
each a frozen value."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .jobs import Event, Job

HEADER = 4
"""Bytes of a message's length."""


@dataclass(frozen=True)
class Install:
    """Make this model the v0 of the version folders under `root`. Done with its digest."""

    root: Path
    model: str


@dataclass(frozen=True)
class Load:
    """Bring a version into memory, and try it. Done with what it has Room for.

    `base` is the folder of the model whose tensors it shares with others over it, its own folder
    where it is that model; None where it stands alone.
    """

    version: str
    folder: Path
    base: Path | None = None


@dataclass(frozen=True)
class Drop:
    """Let go of a version that no request uses any more."""

    version: str


@dataclass(frozen=True)
class Submit:
    """Answer this."""

    job: Job


@dataclass(frozen=True)
class Cancel:
    """Free a job's rows; one that is over, or unknown, is left alone."""

    job_id: str


@dataclass(frozen=True)
class FailAll:
    """End every job with a fault."""

    reason: str


@dataclass(frozen=True)
class Stop:
    """End the process."""


Task = Install | Load
Order = Task | Drop | Submit | Cancel | FailAll | Stop


@dataclass(frozen=True)
class Room:
    """A version's longest prompt and answer together, the cache positions of all its rows, and its
    vocabulary, each in tokens."""

    context: int
    positions: int
    vocabulary: int


@dataclass(frozen=True)
class Done:
    """A task has succeeded."""

    task: Task
    result: Room | str


@dataclass(frozen=True)
class Failed:
    """A task has not. `lasting`: the next try would find the same."""

    task: Task
    reason: str
    lasting: bool


@dataclass(frozen=True)
class Figures:
    """Over all versions: rows being decoded, jobs that wait for rows, and of the fullest cache the
    share of positions that its rows may come to need."""

    rows: int = 0
    waiting: int = 0
    cache_used: float = 0.0


@dataclass(frozen=True)
class Stepped:
    """The process came round once more: what a step wrote, by job, and how things stand."""

    written: Sequence[tuple[str, Event]]
    figures: Figures


Report = Done | Failed | Stepped


class Broken(Exception):
    """The model itself is bad, and will be at every try: files that do not verify, a shape that
    cannot be served, answers that are no numbers."""


def framed(message: Order | Report) -> bytes:
    """A message as it goes through the socket between the two."""
    content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return len(content).to_bytes(HEADER) + content


class Frames:
    """Puts messages together again from what a socket yields."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """The messages that are whole by now."""
        self._buffer += data
        messages = []
        while (content := self._first()) is not None:
            messages.append(pickle.loads(content))
        return messages

    def _first(self) -> bytes | None:
        end = HEADER + int.from_bytes(self._buffer[:HEADER])
        if len(self._buffer) < max(end, HEADER):
            return None
        content = bytes(self._buffer[HEADER:end])
        del self._buffer[:end]
        return content
