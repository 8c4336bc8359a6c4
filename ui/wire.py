"""What the API answers, as far as the pages show it.

Unknown fields are left alone, so that a newer server does not break an older page.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Wire(BaseModel):
    """Base of everything read from the API."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Odd(Wire):
    """A token that could have been drawn."""

    token: int
    text: str
    logprob: float


class Word(Wire):
    """One token of an answer: `logprob` is as it was drawn; `odds` the likeliest in its place."""

    place: int
    token: int
    text: str
    logprob: float
    odds: list[Odd] = []


class Consent(Wire):
    """A person's word on being learned from: whether it `holds`, and the text that is asked."""

    holds: bool
    text_version: str
    text: str


class Past(Wire):
    """A conversation of before, by what was said first in it."""

    id: str
    title: str
    updated_at: float
    answers: int = 0


class PastTurn(Wire):
    """A turn of it; `parent` is the turn that it answers."""

    id: str
    parent: str | None = None
    role: str
    text: str
    at: float = 0.0
    version: str | None = None
    candidate: str | None = None
    rank: int | None = None


class Waiting(Wire):
    """Rankings and demonstrations that no round has learned from yet, and how many start one."""

    rankings: int = 0
    oldest_s: float | None = None
    needed: int = 32
    demonstrations: int = 0
    demonstrations_needed: int = 16


class Learner(Wire):
    """GET /v1/learner. Times are Unix seconds, durations seconds."""

    state: str
    paused: bool = False
    round: int | None = None
    stage: str | None = None
    step: int | None = None
    steps: int | None = None
    eta_s: float | None = None
    heartbeat_age_s: float | None = None
    waiting: Waiting = Waiting()
    alarm: str | None = None
    alarms: tuple[str, ...] = ()
    next_run_at: float | None = None
    last_error: str | None = None
    trainable: bool = True
    missing: str | None = None


class Reason(Wire):
    """One check of the gate: what was measured, against which limit, and how it went."""

    check: str
    passed: bool
    value: float | None = None
    limit: float | None = None
    text: str = ""


class Reward(Wire):
    """How well rankings are foretold from other conversations' alone.

    A share in 0..1, the one that decides whether a round goes on to PPO.
    """

    accuracy: float | None = Field(default=None, alias="cross_validated_accuracy")


class Round(Wire):
    """One learning round."""

    id: int
    state: str
    outcome: str | None = None
    trigger: str | None = None
    stages: list[str] | None = None
    stage: str | None = None
    step: int | None = None
    steps: int | None = None
    eta_s: float | None = None
    rankings: int | None = None
    demonstrations: int | None = None
    version: str | None = None
    reward_model: str | None = None
    reasons: list[Reason] = []
    reward: Reward | None = None
    error: str | None = None
    created_at: float | None = None
    claimed_at: float | None = None
    decided_at: float | None = None


class MetricPoint(Wire):
    """What a stage measured after one of its steps."""

    stage: str
    step: int
    at: float
    values: dict[str, float | None] = {}


class LearnedFrom(Wire):
    """How many rankings went into a version, and how many of them are the asking person's."""

    rankings: int = 0
    yours: int = 0


class VersionEvent(Wire):
    """One change of a version's state."""

    from_: str | None = Field(default=None, alias="from")
    to: str
    actor: str | None = None
    reason: str | None = None
    at: float | None = None


class Version(Wire):
    """One policy version."""

    id: str
    state: str
    live: bool = False
    resident: bool = False
    problem: str | None = None
    digest: str | None = None
    parent: str | None = None
    round: int | None = None
    created_at: float | None = None
    figures: dict[str, Any] = {}
    learned_from: LearnedFrom = LearnedFrom()
    set_aside: int = 0
    pinned_by: str | None = None
    pruned: bool = False
    events: list[VersionEvent] = []


class Provenance(Wire):
    """The field `rankloop` of an answer: which version gave it, and the ids to rank by."""

    version: str
    completion_id: str
    candidates: list[str]


class Delta(Wire):
    """A piece of one answer."""

    content: str | None = None


class Choice(Wire):
    """One answer's part of a stream's chunk."""

    index: int
    delta: Delta = Delta()
    finish_reason: str | None = None


class Chunk(Wire):
    """One event of a streamed chat completion."""

    choices: list[Choice] = []
    rankloop: Provenance | None = None
