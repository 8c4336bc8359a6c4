"""The rows. Feedback is appended and never edited; versions and rounds change their state.

| table | a row is |
|---|---|
| generation, candidate | one request's answers, and each of them |
| ranking, ranked_candidate | what a person said of some candidates, and the rank of each |
| waiting_ranking | a ranking that no round has used yet |
| mark | a thumb, or a rating by some criterion, of one answer |
| demonstration | an answer that a person would have given, or both sides of a conversation |
| version, version_event | a policy or a reward model, and a change of its state |
| live | a move of the live pointer |
| round, round_input, metric | a learning round, a ranking that it used, one step's figures |
| round_demonstration, round_mark | a demonstration, or a mark, that a round used |
| round_prompt | a prompt that a round had |
| candidate_reward | a figure that a reward model gave an answer |
| wanted_reward | an answer that somebody wants to see scored |
| lease, learner, counter | who may publish, the last heartbeat, the last number given to an id |
"""

from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKeyConstraint,
    Index,
    MetaData,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from .columns import Float32s, Int32s, Json

NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "ix": "ix_%(table_name)s_%(column_0_name)s",
}


class Row(SQLModel):
    """The base of all tables, with a metadata of its own."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMES)


class Generation(Row, table=True):
    """`prompt_digest` is one for all generations that answer the same messages with the same token
    ids.
    """

    __tablename__ = "generation"
    __table_args__ = (CheckConstraint("split in ('train', 'judge')", name="split"),)

    id: str = Field(primary_key=True)
    conversation_id: str = Field(index=True)
    person: str = Field(index=True)
    consented: bool
    split: str
    version: str = Field(index=True)
    digest: str
    messages: list[list[str]] = Field(sa_type=Json)
    prompt_ids: tuple[int, ...] = Field(sa_type=Int32s)
    prompt_digest: str = Field(index=True)
    params: dict[str, Any] = Field(sa_type=Json)
    seed: int = Field(sa_type=BigInteger)
    template_hash: str
    created_at: float = Field(sa_type=Float, index=True)


class Candidate(Row, table=True):
    __tablename__ = "candidate"
    __table_args__ = (UniqueConstraint("generation_id", "place"),)

    id: str = Field(primary_key=True)
    generation_id: str = Field(foreign_key="generation.id")
    place: int
    text: str = Field(sa_type=Json)
    token_ids: tuple[int, ...] = Field(sa_type=Int32s)
    logps: tuple[float, ...] = Field(sa_type=Float32s)
    raw_logps: tuple[float, ...] = Field(sa_type=Float32s)
    finish_reason: str


class Ranking(Row, table=True):
    """`supersedes` is the person's earlier ranking of the same candidates; at most one ranking
    replaces another.

    `candidates_digest` finds that earlier one. `comparable`: at least two answers are ranked.
    `consented`: all the generations were; a round can take no other as its input (see RoundInput).
    """

    __tablename__ = "ranking"
    __table_args__ = (
        UniqueConstraint("person", "idempotency_key"),
        UniqueConstraint("id", "consented"),
        Index("ix_ranking_person_candidates", "person", "candidates_digest"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    person: str
    conversation_id: str
    split: str
    consented: bool
    comparable: bool
    none_acceptable: bool
    ratings: dict[str, list[float | None]] | None = Field(sa_type=Json)
    comment: str | None = Field(sa_type=Json)
    task_id: str | None
    candidates_digest: str
    supersedes: int | None = Field(foreign_key="ranking.id", unique=True)
    idempotency_key: str | None
    body_digest: str
    created_at: float = Field(sa_type=Float)


class RankedCandidate(Row, table=True):
    """`rank` is null where the person ranked others but not this one."""

    __tablename__ = "ranked_candidate"
    __table_args__ = (
        CheckConstraint("rank >= 1", name="rank"),
        UniqueConstraint("ranking_id", "candidate_id"),
    )

    ranking_id: int = Field(primary_key=True, foreign_key="ranking.id")
    place: int = Field(primary_key=True)
    candidate_id: str = Field(foreign_key="candidate.id", index=True)
    rank: int | None


class WaitingRanking(Row, table=True):
    """A ranking that the learner has not used yet: kept apart, so that counting them is cheap."""

    __tablename__ = "waiting_ranking"

    ranking_id: int = Field(primary_key=True, foreign_key="ranking.id")
    since: float = Field(sa_type=Float)


class Mark(Row, table=True):
    """`value` is 1 or 0 for the criterion `thumb`, else a rating.

    `supersedes` is the person's earlier mark of the same candidate by the same criterion; at most
    one mark replaces another. `prompt_digest` is the generation's. `consented`: it was; a round
    can take no other as its input (see RoundMark).
    """

    __tablename__ = "mark"
    __table_args__ = (
        UniqueConstraint("person", "idempotency_key", "criterion"),
        UniqueConstraint("id", "consented"),
        Index("ix_mark_person_candidate", "person", "candidate_id", "criterion"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    person: str
    candidate_id: str = Field(foreign_key="candidate.id")
    criterion: str
    value: float = Field(sa_type=Float)
    prompt_digest: str
    consented: bool
    supersedes: int | None = Field(foreign_key="mark.id", unique=True)
    idempotency_key: str | None
    body_digest: str
    created_at: float = Field(sa_type=Float)


class Demonstration(Row, table=True):
    """`messages` are (role, content) pairs: at most one system turn, then user and assistant in
    turn.

    `candidate_id` is the answer that this is an edited version of. `consented`: its generation was,
    where there is one; a round can take no other as its input (see RoundDemonstration).
    """

    __tablename__ = "demonstration"
    __table_args__ = (
        CheckConstraint("split in ('train', 'judge')", name="split"),
        CheckConstraint("source in ('written', 'edited', 'both_sides', 'imported')", name="source"),
        UniqueConstraint("person", "idempotency_key"),
        UniqueConstraint("id", "consented"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    person: str
    conversation_id: str
    split: str
    consented: bool
    source: str
    messages: list[list[str]] = Field(sa_type=Json)
    candidate_id: str | None = Field(foreign_key="candidate.id")
    idempotency_key: str | None
    body_digest: str
    created_at: float = Field(sa_type=Float)


class Version(Row, table=True):
    __tablename__ = "version"
    __table_args__ = (
        CheckConstraint("kind in ('base', 'full', 'adapter', 'reward')", name="kind"),
        CheckConstraint(
            "state in ('trained', 'verified', 'live', 'retired', 'rejected', 'failed')",
            name="state",
        ),
        Index(
            "ix_version_one_live",
            "state",
            unique=True,
            sqlite_where=text("state = 'live'"),
            postgresql_where=text("state = 'live'"),
        ),
    )

    id: str = Field(primary_key=True)
    kind: str
    state: str
    digest: str
    parent: str | None
    round_id: int | None = Field(foreign_key="round.id", index=True)
    reward_id: str | None
    figures: dict[str, Any] = Field(sa_type=Json)
    created_at: float = Field(sa_type=Float)


class VersionEvent(Row, table=True):
    """A change of a version's state; `from_state` is empty at its registration."""

    __tablename__ = "version_event"

    id: int | None = Field(default=None, primary_key=True)
    version_id: str = Field(foreign_key="version.id", index=True)
    from_state: str
    to_state: str
    actor: str
    reason: str = Field(sa_type=Json)
    at: float = Field(sa_type=Float)


class LivePointer(Row, table=True):
    """A move of the live pointer; the last one counts.

    `below` is the move that a rollback returns to.
    """

    __tablename__ = "live"

    epoch: int = Field(primary_key=True)
    version_id: str = Field(foreign_key="version.id")
    below: int | None = Field(foreign_key="live.epoch")
    at: float = Field(sa_type=Float)


class Round(Row, table=True):
    """`decided_at` is set when the round is over; `attempts` counts its claims. `repeat_of` is the
    round whose inputs were written down for this one, but for those of the people in `without`.
    """

    __tablename__ = "round"
    __table_args__ = (
        CheckConstraint(
            "state in ('queued', 'running', 'done', 'failed', 'cancelled')", name="state"
        ),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    state: str = Field(default="queued", index=True)
    outcome: str | None = None
    trigger: str
    stages: list[str] | None = Field(default=None, sa_type=Json)
    actor: str
    attempts: int = 0
    stage: str | None = None
    step: int | None = None
    steps: int | None = None
    eta_s: float | None = Field(default=None, sa_type=Float)
    version_id: str | None = None
    reward_id: str | None = None
    reasons: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    reward: dict[str, Any] | None = Field(default=None, sa_type=Json)
    error: str | None = Field(default=None, sa_type=Json)
    cancelled_by: str | None = None
    created_at: float = Field(sa_type=Float)
    claimed_at: float | None = Field(default=None, sa_type=Float)
    decided_at: float | None = Field(default=None, sa_type=Float)
    repeat_of: int | None = None
    without: list[str] | None = Field(default=None, sa_type=Json)


class RoundInput(Row, table=True):
    """A ranking that a round used, and how much it weighed in the reward models' loss.

    The two-column key with the check keeps out what people did not consent to.
    """

    __tablename__ = "round_input"
    __table_args__ = (
        ForeignKeyConstraint(["ranking_id", "consented"], ["ranking.id", "ranking.consented"]),
        CheckConstraint("consented", name="consented"),
        Index("ix_round_input_ranking", "ranking_id"),
    )

    round_id: int = Field(primary_key=True, foreign_key="round.id")
    ranking_id: int = Field(primary_key=True)
    consented: bool = True
    weight: float = Field(default=1.0, sa_type=Float)


class RoundPrompt(Row, table=True):
    """A generation whose prompt a round could draw rollouts from; place 0 is the most recent."""

    __tablename__ = "round_prompt"

    round_id: int = Field(primary_key=True, foreign_key="round.id")
    place: int = Field(primary_key=True)
    generation_id: str = Field(foreign_key="generation.id", index=True)


class RoundDemonstration(Row, table=True):
    """A demonstration that a round used; its key keeps out what RoundInput's does."""

    __tablename__ = "round_demonstration"
    __table_args__ = (
        ForeignKeyConstraint(
            ["demonstration_id", "consented"], ["demonstration.id", "demonstration.consented"]
        ),
        CheckConstraint("consented", name="consented"),
        Index("ix_round_demonstration_demonstration", "demonstration_id"),
    )

    round_id: int = Field(primary_key=True, foreign_key="round.id")
    demonstration_id: int = Field(primary_key=True)
    consented: bool = True


class RoundMark(Row, table=True):
    """A mark that a round used; its key keeps out what RoundInput's does."""

    __tablename__ = "round_mark"
    __table_args__ = (
        ForeignKeyConstraint(["mark_id", "consented"], ["mark.id", "mark.consented"]),
        CheckConstraint("consented", name="consented"),
        Index("ix_round_mark_mark", "mark_id"),
    )

    round_id: int = Field(primary_key=True, foreign_key="round.id")
    mark_id: int = Field(primary_key=True)
    consented: bool = True


class Metric(Row, table=True):
    __tablename__ = "metric"

    round_id: int = Field(primary_key=True, foreign_key="round.id")
    stage: str = Field(primary_key=True)
    step: int = Field(primary_key=True)
    at: float = Field(sa_type=Float)
    figures: dict[str, float | None] = Field(sa_type=Json)


class CandidateReward(Row, table=True):
    """`name` is "total" or a part of it; `place` is the order that the names are shown in, and
    `since` counts the rankings that the model has taken in since its round.
    """

    __tablename__ = "candidate_reward"

    candidate_id: str = Field(primary_key=True, foreign_key="candidate.id")
    reward_id: str = Field(primary_key=True, foreign_key="version.id")
    name: str = Field(primary_key=True)
    place: int
    value: float = Field(sa_type=Float)
    since: int


class WantedReward(Row, table=True):
    """An answer that was looked at before any reward model had scored it."""

    __tablename__ = "wanted_reward"

    candidate_id: str = Field(primary_key=True, foreign_key="candidate.id")
    at: float = Field(sa_type=Float)


class Lease(Row, table=True):
    """One row. `epoch` rises with every claim; nobody holds it when `holder` is null or
    `expires_at` has passed.
    """

    __tablename__ = "lease"

    id: int = Field(default=1, primary_key=True)
    epoch: int = 0
    holder: str | None = None
    round_id: int | None = Field(default=None, foreign_key="round.id")
    expires_at: float = Field(default=0.0, sa_type=Float)


class Learner(Row, table=True):
    """One row: the last heartbeat, and whether people have paused the learner."""

    __tablename__ = "learner"

    id: int = Field(default=1, primary_key=True)
    state: str = "starting"
    holder: str | None = None
    heartbeat_at: float | None = Field(default=None, sa_type=Float)
    next_run_at: float | None = Field(default=None, sa_type=Float)
    last_error: str | None = Field(default=None, sa_type=Json)
    missing: str | None = Field(default=None, sa_type=Json)
    paused: bool = False
    paused_by: str | None = None


class Counter(Row, table=True):
    """The last number given to an id with this prefix, so that none is given twice."""

    __tablename__ = "counter"

    prefix: str = Field(primary_key=True)
    last: int
