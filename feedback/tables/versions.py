"""Versions, and which one is live."""

from typing import Any

from sqlalchemy import CheckConstraint, Float, Index, text
from sqlmodel import Field

from ..columns import Json
from .row import Row


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


class Counter(Row, table=True):
    """The last number given to an id with this prefix, so that none is given twice."""

    __tablename__ = "counter"

    prefix: str = Field(primary_key=True)
    last: int
