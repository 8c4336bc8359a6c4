"""What passes between the serving process and the one that decodes: orders there, reports back,
each a frozen value.

A message is MessagePack of the values alone; which class it is, and of what its parts are, is
decided by the types below. Nothing that is read makes anything else, or runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import msgpack

from policy.place import Place

from .jobs import Event, Job, Value

HEADER = 4
"""Bytes of a message's length."""


class Install(Value, frozen=True):
    """Make this model the v0 of the versions there. Done with its digest."""

    place: Place
    model: str


class Load(Value, frozen=True):
    """Bring a version into memory, and try it. Done with what it has Room for.

    `base` is the folder of the model whose tensors it shares with others over it, its own folder
    where it is that model; None where it stands alone. `digest`: the version's.
    """

    version: str
    folder: Path
    base: Path | None = None
    digest: str = ""


class Drop(Value, frozen=True):
    """Let go of a version that no request uses any more."""

    version: str


class Submit(Value, frozen=True):
    """Answer this."""

    job: Job


class Cancel(Value, frozen=True):
    """Free a job's rows; one that is over, or unknown, is left alone."""

    job_id: str


class FailAll(Value, frozen=True):
    """End every job with a fault."""

    reason: str


class Stop(Value, frozen=True):
    """End the process."""


Task = Install | Load
Order = Task | Drop | Submit | Cancel | FailAll | Stop


class Room(Value, frozen=True):
    """A version's longest prompt and answer together, the cache positions of all its rows, and its
    vocabulary, each in tokens."""

    context: int
    positions: int
    vocabulary: int


class Done(Value, frozen=True):
    """A task has succeeded."""

    task: Task
    result: Room | str


class Failed(Value, frozen=True):
    """A task has not. `lasting`: the next try would find the same."""

    task: Task
    reason: str
    lasting: bool


class Figures(Value, frozen=True):
    """Over all versions: rows being decoded, jobs that wait for rows, and of the fullest cache the
    share of positions that its rows may come to need."""

    rows: int = 0
    waiting: int = 0
    cache_used: float = 0.0


class Stepped(Value, frozen=True):
    """The process came round once more: what a step wrote, by job, and how things stand."""

    written: Sequence[tuple[str, Event]]
    figures: Figures


Report = Done | Failed | Stepped


class Broken(Exception):
    """The model itself is bad, and will be at every try: files that do not verify, a shape that
    cannot be served, answers that are no numbers."""


def _plain(value: Any) -> str:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"no message holds a {type(value).__name__}")


def _made(kind: type, value: Any) -> Path:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(f"no message holds a {kind.__name__}")


_encoder = msgpack.Encoder(enc_hook=_plain)
_decoder = msgpack.Decoder(Order | Report, dec_hook=_made)


def framed(message: Order | Report) -> bytes:
    """A message as it goes through the socket between the two."""
    content = _encoder.encode(message)
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
            messages.append(_decoder.decode(content))
        return messages

    def _first(self) -> bytes | None:
        end = HEADER + int.from_bytes(self._buffer[:HEADER])
        if len(self._buffer) < max(end, HEADER):
            return None
        content = bytes(self._buffer[HEADER:end])
        del self._buffer[:end]
        return content
