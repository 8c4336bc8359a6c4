"""Rankings that are set aside, because they were of answers of a version that turned out bad. No
round learns from them; a row says who wanted that and why, and whether it was taken back.
"""

from __future__ import annotations

from sqlalchemy import exists, func
from sqlmodel import Session, col, select

from . import training
from .database import now
from .tables import Candidate, Generation, RankedCandidate, Ranking, SetAside


def set_aside(session: Session, version: str, *, actor: str, reason: str) -> int:
    """Set aside every ranking of this version's answers that is not already; how many that were."""
    of_it = exists().where(
        col(RankedCandidate.ranking_id) == col(Ranking.id),
        col(RankedCandidate.candidate_id) == col(Candidate.id),
        col(Candidate.generation_id) == col(Generation.id),
        col(Generation.version) == version,
    )
    query = select(Ranking.id).where(of_it, col(Ranking.deleted_at).is_(None), ~training.is_aside())
    ids = [id for id in session.exec(query) if id is not None]
    at = now(session.connection())
    for id in ids:
        session.add(SetAside(ranking_id=id, version_id=version, actor=actor, reason=reason, at=at))
    training.unqueue(session, ids)
    session.flush()
    return len(ids)


def lift(session: Session, version: str, *, actor: str, reason: str) -> int:
    """Take back what was set aside because of this version: rounds learn from it again, and what
    none had used waits for one. How many that are.
    """
    rows = session.exec(
        select(SetAside).where(SetAside.version_id == version, col(SetAside.lifted_at).is_(None))
    ).all()
    at = now(session.connection())
    for row in rows:
        row.lifted_at, row.lifted_by, row.lifted_reason = at, actor, reason
    session.flush()
    training.requeue(session, [row.ranking_id for row in rows])
    return len(rows)


def counts(session: Session) -> dict[str, int]:
    """By version, how many rankings are set aside because of it."""
    query = select(SetAside.version_id, func.count()).where(col(SetAside.lifted_at).is_(None))
    return dict(session.exec(query.group_by(col(SetAside.version_id))).all())
