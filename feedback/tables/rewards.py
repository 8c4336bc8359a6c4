"""What reward models say of answers."""

from sqlalchemy import Float
from sqlmodel import Field

from .row import Row


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
