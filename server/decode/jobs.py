"""What passes between requests and the sampler: frozen values, without torch."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from policy.params import SamplingParams
from policy.requests import Scores, Top


class Value(Struct, frozen=True, tag=True, array_like=True):
    """What goes from process to process: as an array, its class's name first."""


class Job(Value, frozen=True):
    """`n` answers to one prompt by one version, the first of them the request's choice `first`. An
    answer ends at a stop string, at one of `stop_ids`, and at the model's own end unless
    `ignore_eos`. `share`: whose prompts may reuse what was computed for each other's beginnings.
    `said`: what each answer begins with. `prompt_logprobs`: also score the prompt, with so many
    likeliest tokens. `told`: each piece's raw log-probability is shown with it; `whole`: nothing is
    shown before all answers are there."""

    id: str
    version: str
    prompt: tuple[int, ...]
    n: int
    params: SamplingParams
    stops: tuple[str, ...] = ()
    stop_ids: frozenset[int] = frozenset()
    ignore_eos: bool = False
    first: int = 0
    share: str | None = None
    prompt_logprobs: int | None = None
    said: tuple[int, ...] = ()
    told: bool = False
    whole: bool = False


class Piece(Value, frozen=True):
    """What one decode step added to the choice `index`: a token, and the text that may be shown by
    now.

    `logp` is the token's log-probability as sampled, `raw_logp` that of the raw model, `top` the
    likeliest tokens with theirs, `odds` the likeliest as sampled. `finish` is "stop" or "length"
    on an answer's last piece. `scores`: the prompt's, on the first piece of its first answer, if
    they were asked for. `known`, on a last piece: the whole answer once more, where its raw
    log-probabilities became known only at its end; they were NaN before.
    """

    index: int
    token: int
    text: str
    logp: float
    raw_logp: float
    finish: str | None = None
    top: Top = ()
    odds: Top = ()
    scores: Scores | None = None
    known: tuple[Piece, ...] = ()


class Again(Value, frozen=True):
    """The choices from `first` on, `n` of them, are written anew from their beginning: what came of
    them is void. Only a job that is `whole` hears this."""

    first: int
    n: int


class Fault(Value, frozen=True):
    """The job ended without its answers; the reason may be shown to people. `passing`: a retry may
    well succeed."""

    reason: str
    passing: bool = False


Event = Piece | Again | Fault


class Mailbox(Protocol):
    """Where a job's events go."""

    def put(self, event: Event) -> None: ...
