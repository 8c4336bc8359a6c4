"""What reward models say of answers."""

from sqlalchemy import Float
from sqlmodel import Field

from ..columns import Float32s
from .row import Row


class CandidateReward(Row, table=True):
    """`name` is "total" or a part of it; `place` is the order that the names are shown in, and
    `since` counts the rankings that the model has taken in since its round. With the first name
    stands what each of the model's heads says, where there are several.
    """

    __tablename__ = "candidate_reward"

    candidate_id: str = Field(primary_key=True, foreign_key="candidate.id")
    reward_id: str = Field(primary_key=True, foreign_key="version.id")
    name: str = Field(primary_key=True)
    place: int
    value: float = Field(sa_type=Float)
    since: int
    by_head: tuple[float, ...] | None = Field(default=None, sa_type=Float32s)


class WantedReward(Row, table=True):
    """An answer that was looked at before any reward model had scored it."""

    __tablename__ = "wanted_reward"

    candidate_id: str = Field(primary_key=True, foreign_key="candidate.id")
    at: float = Field(sa_type=Float)
