"""What passes between the requests' loop and the decoding thread: frozen values, no torch, no
asyncio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from policy.params import SamplingParams


@dataclass(frozen=True)
class Job:
    """`n` answers to one prompt by one version. `id` is the completion's id. An answer ends at a
    stop string, at one of `stop_ids`, and at the model's own end unless `ignore_eos`."""

    id: str
    version: str
    prompt: tuple[int, ...]
    n: int
    params: SamplingParams
    stops: tuple[str, ...] = ()
    stop_ids: frozenset[int] = frozenset()
    ignore_eos: bool = False


@dataclass(frozen=True)
class Piece:
    """What one decode step added to the answer `index`: a token, and the text that may be shown by
    now.

    `logp` is the token's log-probability as sampled, `raw_logp` that of the raw model, `top` the
    likeliest tokens with theirs. `finish` is "stop" or "length" on an answer's last piece.
    """

    index: int
    token: int
    text: str
    logp: float
    raw_logp: float
    finish: str | None = None
    top: tuple[tuple[int, float], ...] = ()


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
