"""How far people are with the labelling queue."""

from __future__ import annotations

from statistics import median

from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, select

from . import prompts, tasks
from .database import now
from .labelling import Progress
from .tables import Ranking, Task, TaskLease

RECENT = 100
"""Items whose times the median is of: what somebody took a week ago says little of today."""


def progress(session: Session, person: str, since: float) -> Progress:
    """How many items the person has done, since a moment and in all, and how many wait."""
    mine = (TaskLease.person == person, col(TaskLease.done_at).is_not(None))
    return Progress(
        today=_count(session, *mine, col(TaskLease.done_at) >= since),
        done=_count(session, *mine),
        waiting=ready(session, person) + prompts.unanswered(session),
        median_s=_median(session, person),
    )


def ready(session: Session, person: str, version: str | None = None) -> int:
    """Items that the person could be given at once; of those made for this version, if one is
    named.
    """
    at = now(session.connection())
    query = select(func.count()).select_from(Task).where(tasks.open_to(person, at))
    return session.exec(query if version is None else query.where(Task.version == version)).one()


def _count(session: Session, *which: ColumnElement[bool] | bool) -> int:
    return session.exec(select(func.count()).select_from(TaskLease).where(*which)).one()


def _median(session: Session, person: str) -> float | None:
    times = session.exec(
        select(Ranking.seconds)
        .join(TaskLease, col(TaskLease.ranking_id) == Ranking.id)
        .where(TaskLease.person == person, col(Ranking.seconds).is_not(None))
        .order_by(col(TaskLease.done_at).desc())
        .limit(RECENT)
    ).all()
    told = [seconds for seconds in times if seconds is not None]
    return median(told) if told else None
