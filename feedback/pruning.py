"""Versions whose files are no longer worth their room on the disk: which they are, and that they
are gone. The rows stay.

Kept are v0; what is live, was live before it, or is tried; what still waits for a decision; what
the caller needs; the newest so many policies and reward models; and the reward models of the
policies that are kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from sqlmodel import Session, col, select

from . import pointer
from .database import now
from .tables import Version

DECIDED = ("retired", "rejected", "failed")
"""States in which nobody waits for a policy."""


def prune(session: Session, newest: int, needed: Collection[str]) -> list[str]:
    """Note that the files of what is not kept go, and tell which those are."""
    gone = [row for row in _surplus(session, newest, needed) if row.pruned_at is None]
    for row in gone:
        row.pruned_at = now(session.connection())
    return [row.id for row in gone]


def pruned(session: Session) -> Sequence[str]:
    """All versions whose files are gone, or are to go."""
    return session.exec(select(Version.id).where(col(Version.pruned_at).is_not(None))).all()


def _surplus(session: Session, newest: int, needed: Collection[str]) -> Iterator[Version]:
    live = pointer.live(session)
    kept = {live.version, live.previous, live.canary, *needed}
    policies, rewards = _rows(session, reward=False), _rows(session, reward=True)
    going = [
        row
        for row in policies[newest:]
        if row.id not in kept and row.kind != "base" and row.state in DECIDED
    ]
    yield from going
    left = {row.id for row in going}
    in_use = {row.reward_id for row in policies if row.id not in left and row.pruned_at is None}
    yield from (row for row in rewards[newest:] if row.id not in in_use | kept)


def _rows(session: Session, *, reward: bool) -> Sequence[Version]:
    """Newest first."""
    kind = col(Version.kind)
    return session.exec(
        select(Version)
        .where(kind == "reward" if reward else kind != "reward")
        .order_by(col(Version.created_at).desc(), col(Version.id).desc())
    ).all()
