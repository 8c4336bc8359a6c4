"""What passes between the requests' loop and the decoding thread: frozen values, no torch, no
asyncio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Job:
    """`n` answers to one prompt by one version. `id` is the completion's id."""

    id: str
    version: str
    prompt: tuple[int, ...]
    n: int
    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    stops: tuple[str, ...] = ()


@dataclass(frozen=True)
class Piece:
    """What one decode step added to the answer `index`: a token, and the text that may be shown by
    now.

    `logp` is the token's log-probability as sampled, `raw_logp` that of the raw model. `finish` is
    "stop" or "length" on an answer's last piece.
    """

    index: int
    token: int
    text: str
    logp: float
    raw_logp: float
    finish: str | None = None


@dataclass(frozen=True)
class Fault:
    """The job ended without its answers; the reason may be shown to people. `passing`: a retry may
    well succeed."""

    reason: str
    passing: bool = False


Event = Piece | Fault


class Mailbox(Protocol):
    """Where a job's events go."""

    def put(self, event: Event) -> None: ...
