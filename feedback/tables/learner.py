"""Who may publish, and whether the learner lives."""

from sqlalchemy import Float
from sqlmodel import Field

from ..columns import Json
from .row import Row


class Lease(Row, table=True):
    """One row. `epoch` rises with every claim; nobody holds it when `holder` is null or
    `expires_at` has passed. `ttl_s` is how long it was given for.
    """

    __tablename__ = "lease"

    id: int = Field(default=1, primary_key=True)
    epoch: int = 0
    holder: str | None = None
    round_id: int | None = Field(default=None, foreign_key="round.id")
    expires_at: float = Field(default=0.0, sa_type=Float)
    ttl_s: float = Field(default=0.0, sa_type=Float)


class Learner(Row, table=True):
    """One row: the last heartbeat, and whether people have paused the learner. `still_s`: how long
    nothing had gone on in it by then, though it beats.
    """

    __tablename__ = "learner"

    id: int = Field(default=1, primary_key=True)
    state: str = "starting"
    holder: str | None = None
    heartbeat_at: float | None = Field(default=None, sa_type=Float)
    next_run_at: float | None = Field(default=None, sa_type=Float)
    last_error: str | None = Field(default=None, sa_type=Json)
    missing: str | None = Field(default=None, sa_type=Json)
    still_s: float | None = Field(default=None, sa_type=Float)
    paused: bool = False
    paused_by: str | None = None
