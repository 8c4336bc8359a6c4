"""Versions and their states. `move` is the one place where a state changes, by the table of
transitions.py; each change is a row with actor, reason and evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session, col, select

from . import canaries, transitions
from .database import now
from .errors import IllegalMove, UnknownVersion, VersionExists
from .tables import Counter, Version, VersionEvent

Evidence = Mapping[str, Any]


def next_id(session: Session, prefix: str) -> str:
    """The next id with this prefix; none is ever given twice, so a folder left by a crash is never
    reused.
    """
    counter = session.get(Counter, prefix)
    if counter is None:
        counter = Counter(prefix=prefix, last=0)
        session.add(counter)
    counter.last += 1
    return f"{prefix}{counter.last}"


def last_given(session: Session, prefix: str) -> int:
    """The number of the last id that was given with this prefix; 0 before the first."""
    counter = session.get(Counter, prefix)
    return 0 if counter is None else counter.last


def register(session: Session, row: Version, *, actor: str, reason: str) -> None:
    """Add a version; again is harmless with the same digest, VersionExists with another."""
    known = session.get(Version, row.id)
    if known is not None:
        if known.digest != row.digest:
            message = f"{row.id} is registered already, with the digest {known.digest}"
            raise VersionExists(message, param="version", value=row.id)
        return
    session.add(row)
    session.flush()
    log(session, row, row.state, actor=actor, reason=reason, source="")


def log(
    session: Session,
    row: Version,
    target: str,
    *,
    actor: str,
    reason: str,
    source: str | None = None,
    evidence: Evidence | None = None,
) -> None:
    """Write down a change from the version's state, or from `source`."""
    session.add(
        VersionEvent(
            version_id=row.id,
            from_state=row.state if source is None else source,
            to_state=target,
            actor=actor,
            reason=reason,
            at=now(session.connection()),
            evidence=None if evidence is None else dict(evidence),
        )
    )


def get(session: Session, id: str) -> Version:
    """The version's row; raises UnknownVersion."""
    row = session.get(Version, id)
    if row is None:
        raise UnknownVersion(f"no version has the id {id!r}", param="version", value=id)
    return row


def move(
    session: Session,
    row: Version,
    target: str,
    *,
    actor: str,
    reason: str,
    evidence: Evidence | None = None,
) -> None:
    """Change the version's state and write down who did it, why, and by what evidence; raises
    IllegalMove. A trial that it was on is over.
    """
    transitions.check(row.id, row.kind, row.state, target)
    if row.pruned_at is not None and target in transitions.SERVES:
        message = f"the files of {row.id} were removed to make room: it cannot become {target}"
        raise IllegalMove(message, param="version", value=row.id)
    log(session, row, target, actor=actor, reason=reason, evidence=evidence)
    if row.state == "canary":
        canaries.close(session, row.id, target)
    row.state = target
    session.flush()


def reject(session: Session, id: str, *, actor: str, reason: str) -> None:
    """Take the version out of the running; the live one is rolled back instead. What the gate had
    rejected is so once more: then no round goes on from it."""
    row = get(session, id)
    if row.state == "live":
        message = f"{id} is live: roll back, or promote another first"
        raise IllegalMove(message, param="version", value=id)
    if row.state == "rejected":
        log(session, row, row.state, actor=actor, reason=reason)
    else:
        move(session, row, "rejected", actor=actor, reason=reason)


def everything(session: Session, *, reward: bool) -> Sequence[Version]:
    """The policies, or the reward models, oldest first."""
    kind = col(Version.kind)
    return session.exec(
        select(Version)
        .where(kind == "reward" if reward else kind != "reward")
        .order_by(col(Version.created_at), col(Version.id))
    ).all()
