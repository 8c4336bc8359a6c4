"""Who may do what, and how often, and what operators did."""

from sqlalchemy import BigInteger, Float
from sqlmodel import Field

from ..columns import Json
from .row import Row


class ApiKey(Row, table=True):
    """A person's key; rows stay when it ends. `digest` is the SHA-256 of the whole key, which is
    kept nowhere: it has 192 random bits, so that a slow hash would add nothing.
    """

    __tablename__ = "api_key"

    id: str = Field(primary_key=True)
    person: str = Field(index=True)
    digest: str
    scopes: list[str] = Field(sa_type=Json)
    created_at: float = Field(sa_type=Float)
    expires_at: float | None = Field(default=None, sa_type=Float)
    revoked_at: float | None = Field(default=None, sa_type=Float)
    last_used_at: float | None = Field(default=None, sa_type=Float)


class ShownAnswer(Row, table=True):
    """An answer to another's prompt that a person was shown, outside of the queue, to judge it."""

    __tablename__ = "shown_answer"

    candidate_id: str = Field(primary_key=True, foreign_key="candidate.id")
    person: str = Field(primary_key=True, index=True)
    at: float = Field(sa_type=Float)


class AuditEvent(Row, table=True):
    """What an operator asked for: written before it is done, so that nothing is done unseen.

    `act` is a route ("POST /v1/versions/{id}/promote") or a command ("users add"), `target` what it
    was done to. `outcome` is the HTTP status that it came to; null where the process ended first.
    """

    __tablename__ = "audit_event"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, primary_key=True)
    at: float = Field(sa_type=Float)
    actor: str
    key_id: str | None
    act: str
    target: str | None = Field(sa_type=Json)
    reason: str | None = Field(sa_type=Json)
    request_id: str | None
    outcome: int | None = None


class QuotaTaken(Row, table=True):
    """Requests that somebody took in one second of Unix time. `name` is a digest of who."""

    __tablename__ = "quota_taken"

    name: str = Field(primary_key=True)
    second: int = Field(primary_key=True, index=True, sa_type=BigInteger)
    taken: int
