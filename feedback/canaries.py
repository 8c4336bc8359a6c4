"""Trials of a version on some of the people: one at a time."""

from __future__ import annotations

from sqlmodel import Session, col, select

from . import training
from .database import now
from .tables import Canary


def current(session: Session) -> Canary | None:
    """The trial that goes on, if one does."""
    return session.exec(select(Canary).where(col(Canary.ended_at).is_(None))).first()


def begin(session: Session, id: str, live_id: str, share: float | None) -> None:
    """Rankings from now on are its evidence."""
    session.add(
        Canary(
            version_id=id,
            live_id=live_id,
            share=share,
            after_ranking=training.last(session),
            began_at=now(session.connection()),
        )
    )
    session.flush()


def close(session: Session, id: str, outcome: str) -> None:
    """The version's trial is over, and this is the state that it went to."""
    trial = current(session)
    if trial is not None and trial.version_id == id:
        trial.ended_at, trial.outcome = now(session.connection()), outcome
