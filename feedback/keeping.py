"""How long words are kept of which nobody has said anything: `feedback.keep_days`.

A conversation goes as a whole, once its last answer is that old: texts, tokens, log-probabilities
and whose it was. One with a ranking, a mark, a demonstration or an item that waits in the labelling
queue stays, and so does what an open round draws from. The rows stay, empty, as those of somebody
who took theirs back; their `params` say by what rule they went.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from . import erasing
from .database import now
from .tables import (
    Candidate,
    Demonstration,
    Generation,
    Mark,
    RankedCandidate,
    Round,
    RoundPrompt,
    Task,
    TaskCandidate,
)

BATCH = 500
"""Requests emptied in one transaction: other writers wait for it."""
DAY_S = 86400.0


def forget(session: Session, keep_days: int) -> int:
    """Empty some of what is too old and was never judged; how many requests, at most BATCH."""
    at = now(session.connection())
    ids = session.exec(_old(at - keep_days * DAY_S).limit(BATCH)).all()
    if not ids:
        return 0
    erasing.overwrite(session)
    which = col(Generation.id).in_(ids)
    erasing.empty(session, which, at)
    session.exec(update(Generation).where(which).values(params={"kept_days": keep_days}))
    return len(ids)


def _old(before: float) -> SelectOfScalar[str]:
    """Requests of conversations that ended before then and that nobody has judged."""
    judged = select(Generation.conversation_id).where(_judged() | _drawn_from())
    later = aliased(Generation)
    going_on = select(later.conversation_id).where(col(later.created_at) >= before)
    return select(Generation.id).where(
        col(Generation.created_at) < before,
        col(Generation.deleted_at).is_(None),
        col(Generation.conversation_id).not_in(judged),
        col(Generation.conversation_id).not_in(going_on),
    )


def _judged() -> ColumnElement[bool]:
    """Somebody has said something of an answer, or is to."""
    shown = select(Demonstration.candidate_id).where(col(Demonstration.candidate_id).is_not(None))
    items = select(TaskCandidate.candidate_id).join(Task).where(~col(Task.closed))
    answers = select(Candidate.generation_id).where(
        or_(
            col(Candidate.id).in_(select(RankedCandidate.candidate_id)),
            col(Candidate.id).in_(select(Mark.candidate_id)),
            col(Candidate.id).in_(shown),
            col(Candidate.id).in_(items),
        )
    )
    return col(Generation.id).in_(answers)


def _drawn_from() -> ColumnElement[bool]:
    """A round that is not over has its prompt."""
    prompts = (
        select(RoundPrompt.generation_id)
        .join(Round, col(Round.id) == RoundPrompt.round_id)
        .where(col(Round.decided_at).is_(None))
    )
    return col(Generation.id).in_(prompts)
