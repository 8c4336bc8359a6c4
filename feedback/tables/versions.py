"""Versions, and which one is live."""

from typing import Any

from sqlalchemy import CheckConstraint, Float, Index, text
from sqlmodel import Field

from ..columns import Json
from .row import Row


class Version(Row, table=True):
    """A policy or a reward model. `pruned_at`: since when its files are gone, to make room."""

    __tablename__ = "version"
    __table_args__ = (
        CheckConstraint("kind in ('base', 'full', 'adapter', 'reward')", name="kind"),
        CheckConstraint(
            "state in ('trained', 'verified', 'shadow', 'canary', 'live', 'retired', 'rejected',"
            " 'failed')",
            name="state",
        ),
        Index(
            "ix_version_one_live",
            "state",
            unique=True,
            sqlite_where=text("state = 'live'"),
            postgresql_where=text("state = 'live'"),
        ),
        Index(
            "ix_version_one_canary",
            "state",
            unique=True,
            sqlite_where=text("state = 'canary'"),
            postgresql_where=text("state = 'canary'"),
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
    pruned_at: float | None = Field(default=None, sa_type=Float)


class VersionEvent(Row, table=True):
    """A change of a version's state; `from_state` is empty at its registration, and equals
    `to_state` where only something about it changed. `evidence` is what was measured, if anything
    was.
    """

    __tablename__ = "version_event"

    id: int | None = Field(default=None, primary_key=True)
    version_id: str = Field(foreign_key="version.id", index=True)
    from_state: str
    to_state: str
    actor: str
    reason: str = Field(sa_type=Json)
    at: float = Field(sa_type=Float)
    evidence: dict[str, Any] | None = Field(default=None, sa_type=Json)


class LivePointer(Row, table=True):
    """A move of the live pointer; the last one counts.

    `below` is the move that a rollback returns to. `pinned_by` is the person who wants this version
    to serve until people say otherwise.
    """

    __tablename__ = "live"

    epoch: int = Field(primary_key=True)
    version_id: str = Field(foreign_key="version.id")
    below: int | None = Field(foreign_key="live.epoch")
    at: float = Field(sa_type=Float)
    pinned_by: str | None = None


class Canary(Row, table=True):
    """A version on trial against the live one: `share` of the people get its answers (None: as the
    server is set). Rankings after `after_ranking` are its evidence. `outcome` is the state that it
    went to when the trial ended.
    """

    __tablename__ = "canary"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, primary_key=True)
    version_id: str = Field(foreign_key="version.id", index=True)
    live_id: str = Field(foreign_key="version.id")
    share: float | None = Field(default=None, sa_type=Float)
    after_ranking: int
    began_at: float = Field(sa_type=Float)
    ended_at: float | None = Field(default=None, sa_type=Float)
    outcome: str | None = None


class Stopped(Row, table=True):
    """An answer of this version that a person stopped before it was done."""

    __tablename__ = "stopped"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, primary_key=True)
    version_id: str = Field(foreign_key="version.id", index=True)
    at: float = Field(sa_type=Float)


class SetAside(Row, table=True):
    """A ranking that no round learns from, because it was of answers of a bad version; `lifted_at`
    is set when that was taken back.
    """

    __tablename__ = "set_aside"
    __table_args__ = (
        Index("ix_set_aside_ranking", "ranking_id", "lifted_at"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    ranking_id: int = Field(foreign_key="ranking.id")
    version_id: str = Field(foreign_key="version.id", index=True)
    actor: str
    reason: str = Field(sa_type=Json)
    at: float = Field(sa_type=Float)
    lifted_at: float | None = Field(default=None, sa_type=Float)
    lifted_by: str | None = None
    lifted_reason: str | None = Field(default=None, sa_type=Json)


class Counter(Row, table=True):
    """The last number given to an id with this prefix, so that none is given twice."""

    __tablename__ = "counter"

    prefix: str = Field(primary_key=True)
    last: int
