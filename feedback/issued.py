"""Which answers a person was given: asked for by themselves, in an item of the queue, or shown
beside another version's.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select

from . import tasks
from .database import now
from .errors import NotIssued, UnknownCandidate, UnknownTask
from .tables import Candidate, Generation, ShownAnswer, TaskCandidate, TaskLease


def check(session: Session, person: str, candidates: Sequence[str], within_s: float) -> None:
    """Raises UnknownCandidate for an answer that this person was not given, just as for one that
    does not exist, and NotIssued for one that they were given longer ago.
    """
    since = now(session.connection()) - within_s
    for id in candidates:
        at = _given_at(session, person, id)
        if at is None:
            raise UnknownCandidate(f"no candidate has the id {id!r}", param="candidates", value=id)
        if at < since:
            message = f"the time to say anything of {id!r} is over: it was given too long ago"
            raise NotIssued(message, param="candidates", value=id)


def show(session: Session, person: str, candidates: Sequence[str]) -> None:
    """Note that the person was shown these answers, which may be to another's prompt."""
    at = now(session.connection())
    session.add_all(ShownAnswer(candidate_id=id, person=person, at=at) for id in candidates)


def _given_at(session: Session, person: str, candidate: str) -> float | None:
    """When last, in Unix seconds."""
    asked = (
        select(Generation.created_at)
        .join(Candidate, col(Candidate.generation_id) == Generation.id)
        .where(Candidate.id == candidate, Generation.person == person)
    )
    leased = (
        select(TaskLease.issued_at)
        .join(TaskCandidate, col(TaskCandidate.task_id) == TaskLease.task_id)
        .where(TaskCandidate.candidate_id == candidate, TaskLease.person == person)
    )
    shown = select(ShownAnswer.at).where(
        ShownAnswer.candidate_id == candidate, ShownAnswer.person == person
    )
    times = [*session.exec(asked), *session.exec(leased), *session.exec(shown)]
    return max(times, default=None)


def check_task(session: Session, person: str, task_id: str) -> None:
    """Raises UnknownTask for an item that this person was never given, just as for one that does
    not exist.
    """
    task = tasks.get(session, task_id)
    given = select(TaskLease.id).where(TaskLease.task_id == task.id, TaskLease.person == person)
    if session.exec(given).first() is None:
        raise UnknownTask(f"no item has the id {task_id!r}", param="task_id", value=task_id)


def choices(session: Session, completion_id: str) -> list[str]:
    """The ids of a completion's answers; none for one that does not exist."""
    query = select(Candidate.id).where(Candidate.generation_id == completion_id)
    return list(session.exec(query))
