"""What people said of answers, and what they would have answered.

`deleted_at`: its person took it back. The row stays for the rounds that used it; what it said is
gone.
"""

from sqlalchemy import CheckConstraint, Float, Index, UniqueConstraint
from sqlmodel import Field

from ..columns import Json
from .row import Row


class Ranking(Row, table=True):
    """`supersedes` is the person's earlier ranking of the same candidates; at most one ranking
    replaces another.

    `candidates_digest` finds that earlier one. `comparable`: at least two answers are ranked.
    `consented`: all the generations were; a round can take no other as its input (see RoundInput).
    `criterion`: what alone was ranked by; null is as a whole.
    How it came about, where that is known: `shown` are the candidates in the order that they were
    shown in, `blind` says that no version was, `seconds` how long it took, `input` what it was
    given with (keys, mouse, touch), `guidelines` the version that the person had before them.
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
    criterion: str | None = None
    none_acceptable: bool
    ratings: dict[str, list[float | None]] | None = Field(sa_type=Json)
    comment: str | None = Field(sa_type=Json)
    task_id: str | None
    shown: list[str] | None = Field(default=None, sa_type=Json)
    blind: bool | None = None
    seconds: float | None = Field(default=None, sa_type=Float)
    input: str | None = None
    guidelines: str | None = None
    candidates_digest: str
    supersedes: int | None = Field(foreign_key="ranking.id", unique=True)
    idempotency_key: str | None
    body_digest: str
    created_at: float = Field(sa_type=Float)
    deleted_at: float | None = Field(default=None, sa_type=Float)


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
    comment: str | None = Field(default=None, sa_type=Json)
    supersedes: int | None = Field(foreign_key="mark.id", unique=True)
    idempotency_key: str | None
    body_digest: str
    created_at: float = Field(sa_type=Float)
    deleted_at: float | None = Field(default=None, sa_type=Float)


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
    deleted_at: float | None = Field(default=None, sa_type=Float)
