"""The labelling queue: prompts to be answered, items to be ranked, and who has which."""

from sqlalchemy import CheckConstraint, Float, Index, UniqueConstraint
from sqlmodel import Field

from ..columns import Json
from .row import Row


class Prompt(Row, table=True):
    """A prompt of an imported set. `messages` are (role, content) pairs; `digest` is theirs. Its
    answers are ranked by each of `criteria`, as a whole where there are none.
    """

    __tablename__ = "prompt"
    __table_args__ = (
        UniqueConstraint("set_name", "digest"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    set_name: str
    digest: str
    messages: list[list[str]] = Field(sa_type=Json)
    criteria: list[str] | None = Field(default=None, sa_type=Json)
    person: str
    created_at: float = Field(sa_type=Float)


class Task(Row, table=True):
    """An item: the answers to one prompt, to be ranked by `wanted` people. `labels` counts those
    who have; it is `closed` once they are enough, so that finding an open one among many is cheap.
    `criterion` is what they rank by; null is as a whole. A gold item is everybody's; a repeat is
    `person`'s own, of the item `repeat_of`.

    `shows`: so many of its answers are still to be chosen, which happens once all are scored, or as
    it is first given; null from then on, and where all are shown.

    `prompt_digest` is that of the answers' generation and `version` gave them, so that no version
    answers a logged prompt for the queue twice. `prompt_id`: the imported prompt, if it was one.
    """

    __tablename__ = "task"
    __table_args__ = (
        CheckConstraint("kind in ('normal', 'gold', 'repeat')", name="kind"),
        CheckConstraint("(kind = 'repeat') = (repeat_of is not null)", name="repeat_of"),
        UniqueConstraint("repeat_of", "person"),
        Index("ix_task_prompt_version", "prompt_digest", "version"),
        Index("ix_task_kind_closed", "kind", "closed"),
        Index("ix_task_shows", "shows"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    kind: str
    wanted: int
    labels: int = 0
    closed: bool = False
    criterion: str | None = None
    shows: int | None = None
    prompt_id: int | None = Field(default=None, foreign_key="prompt.id", index=True)
    prompt_digest: str
    version: str
    repeat_of: int | None = Field(default=None, foreign_key="task.id")
    person: str | None = None
    created_at: float = Field(sa_type=Float)


class TaskCandidate(Row, table=True):
    """One of an item's answers."""

    __tablename__ = "task_candidate"

    task_id: int = Field(primary_key=True, foreign_key="task.id")
    place: int = Field(primary_key=True)
    candidate_id: str = Field(foreign_key="candidate.id", index=True)


class GoldRank(Row, table=True):
    """The rank that an answer of a gold item should get; null is unranked."""

    __tablename__ = "gold_rank"
    __table_args__ = (CheckConstraint("rank >= 1", name="rank"),)

    task_id: int = Field(primary_key=True, foreign_key="task.id")
    candidate_id: str = Field(primary_key=True, foreign_key="candidate.id")
    rank: int | None


class TaskLease(Row, table=True):
    """An item that a person was given: until when it is theirs (the database's clock), and the
    candidates in the order that they were shown in. One for each person and item, so that nobody
    is given one twice; `ranking_id` is the person's last word, once there is any.
    """

    __tablename__ = "task_lease"
    __table_args__ = (
        UniqueConstraint("task_id", "person"),
        Index("ix_task_lease_person", "person", "done_at"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    task_id: int = Field(foreign_key="task.id")
    person: str
    shown: list[str] = Field(sa_type=Json)
    issued_at: float = Field(sa_type=Float)
    until: float = Field(sa_type=Float)
    done_at: float | None = Field(default=None, sa_type=Float)
    ranking_id: int | None = Field(default=None, foreign_key="ranking.id")


class TaskSkip(Row, table=True):
    """An item that a person would not rank, and why."""

    __tablename__ = "task_skip"

    task_id: int = Field(primary_key=True, foreign_key="task.id")
    person: str = Field(primary_key=True)
    reason: str = Field(sa_type=Json)
    at: float = Field(sa_type=Float)
