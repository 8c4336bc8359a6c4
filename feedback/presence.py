"""The learner as others see it: its heartbeat, its lease, and whether people have paused it."""

from __future__ import annotations

from sqlmodel import Session, col, select

from . import lease
from .database import now
from .records import LearnerInfo
from .tables import Learner, Round

DEAD_AFTER_S = 30.0


def _row(session: Session) -> Learner:
    row = session.get(Learner, 1)
    if row is None:
        row = Learner()
        session.add(row)
    return row


def heartbeat(
    session: Session,
    *,
    holder: str,
    state: str,
    next_run_at: float | None,
    last_error: str | None,
    missing: str | None,
    still_s: float,
) -> None:
    """Say that the learner is alive and what it is doing."""
    assert state in ("idle", "running", "paused", "starting"), f"{state} is no learner's state"
    row = _row(session)
    row.holder, row.state, row.next_run_at = holder, state, next_run_at
    row.last_error, row.missing, row.still_s = last_error, missing, still_s
    row.heartbeat_at = now(session.connection())


def set_paused(session: Session, paused: bool, actor: str) -> None:
    """Keep the learner from claiming rounds, or let it again. A round that runs goes on."""
    row = _row(session)
    row.paused, row.paused_by = paused, actor if paused else None


def learner(session: Session) -> LearnerInfo:
    """What is known of the learner; `starting` before its first heartbeat."""
    row = session.get(Learner, 1) or Learner()
    age = None
    if row.heartbeat_at is not None:
        age = max(0.0, now(session.connection()) - row.heartbeat_at)
    return LearnerInfo(
        state=_state(row, age),
        paused=row.paused,
        holder=row.holder,
        round_id=session.exec(select(Round.id).where(col(Round.state) == "running")).first(),
        heartbeat_age_s=age,
        lease=lease.info(session),
        next_run_at=row.next_run_at,
        last_error=row.last_error,
        missing=row.missing,
        still_s=row.still_s,
    )


def _state(row: Learner, age_s: float | None) -> str:
    if age_s is None:
        return "starting"
    if age_s > DEAD_AFTER_S:
        return "dead"
    if row.paused and row.state != "running":
        return "paused"
    return row.state
