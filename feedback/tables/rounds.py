"""Learning rounds: what they used and what they measured."""

from typing import Any

from sqlalchemy import CheckConstraint, Float, ForeignKeyConstraint, Index
from sqlmodel import Field

from ..columns import Json
from .row import Row


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


class DownWeighting(Row, table=True):
    """A ranking that weighed less than 1 in a round, 0 being left out, and the reason."""

    __tablename__ = "down_weighting"
    __table_args__ = (
        ForeignKeyConstraint(
            ["round_id", "ranking_id"], ["round_input.round_id", "round_input.ranking_id"]
        ),
        CheckConstraint("weight >= 0 and weight < 1", name="weight"),
    )

    round_id: int = Field(primary_key=True)
    ranking_id: int = Field(primary_key=True)
    person: str = Field(index=True)
    weight: float = Field(sa_type=Float)
    reason: str = Field(sa_type=Json)


class RoundPrompt(Row, table=True):
    """A generation whose prompt a round could draw rollouts from; place 0 is the most recent."""

    __tablename__ = "round_prompt"

    round_id: int = Field(primary_key=True, foreign_key="round.id")
    place: int = Field(primary_key=True)
    generation_id: str = Field(foreign_key="generation.id", index=True)


class RoundSetPrompt(Row, table=True):
    """A prompt of an imported set that a round could draw rollouts from."""

    __tablename__ = "round_set_prompt"

    round_id: int = Field(primary_key=True, foreign_key="round.id")
    prompt_id: int = Field(primary_key=True, foreign_key="prompt.id", index=True)


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


class LeftOut(Row, table=True):
    """A ranking, mark or demonstration that a round did not learn from, and that waits no longer.
    `reason` is null where it held personal data; else it was more than its person may teach.
    """

    __tablename__ = "left_out"
    __table_args__ = (
        CheckConstraint("kind in ('ranking', 'mark', 'demonstration')", name="kind"),
        Index("ix_left_out_row", "kind", "row_id"),
    )

    round_id: int = Field(primary_key=True, foreign_key="round.id")
    kind: str = Field(primary_key=True)
    row_id: int = Field(primary_key=True)
    reason: str | None = None


class Metric(Row, table=True):
    __tablename__ = "metric"

    round_id: int = Field(primary_key=True, foreign_key="round.id")
    stage: str = Field(primary_key=True)
    step: int = Field(primary_key=True)
    at: float = Field(sa_type=Float)
    figures: dict[str, float | None] = Field(sa_type=Json)
