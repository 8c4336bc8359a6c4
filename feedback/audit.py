"""What operators asked for: appended before it is done; its outcome is filled in after."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, select

from .database import now
from .tables import AuditEvent


@dataclass(frozen=True)
class Act:
    """Who asks for what to be done to what, and why. `key_id` is the key that they came with."""

    actor: str
    act: str
    target: str | None = None
    reason: str | None = None
    key_id: str | None = None
    request_id: str | None = None


@dataclass(frozen=True)
class AuditInfo:
    """An act on record. `outcome` is an HTTP status, or None where it is not known."""

    id: int
    at: float
    act: Act
    outcome: int | None


def write(session: Session, act: Act, outcome: int | None = None) -> int:
    """Put an act on record; returns its number."""
    row = AuditEvent(
        at=now(session.connection()),
        actor=act.actor,
        key_id=act.key_id,
        act=act.act,
        target=act.target,
        reason=act.reason,
        request_id=act.request_id,
        outcome=outcome,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    return row.id


def close(session: Session, id: int, outcome: int) -> None:
    """Say what the act came to."""
    session.get_one(AuditEvent, id).outcome = outcome


def last(session: Session, limit: int) -> list[AuditInfo]:
    """The last acts, newest first."""
    rows = session.exec(select(AuditEvent).order_by(col(AuditEvent.id).desc()).limit(limit))
    return [_info(row) for row in rows]


def _info(row: AuditEvent) -> AuditInfo:
    assert row.id is not None
    act = Act(row.actor, row.act, row.target, row.reason, row.key_id, row.request_id)
    return AuditInfo(row.id, row.at, act, row.outcome)
