"""How many requests somebody may make in a minute, over all servers of one database.

What was taken is summed up by second, and counts until the minute after that second is over: in no
60 s is more taken than the limit. Who takes is a digest of a name, so that no row says who was
there, and rows of the minute before are deleted by whoever takes next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session, col, delete, func, select

from .database import now
from .tables import QuotaTaken

COUNTS_S = 61
"""From the beginning of the second in which it was taken."""

ADD = text(
    "INSERT INTO quota_taken (name, second, taken) VALUES (:name, :second, :taken)"
    " ON CONFLICT (name, second) DO UPDATE SET taken = quota_taken.taken + excluded.taken"
)


@dataclass(frozen=True)
class Want:
    """So many requests, of so many in a minute."""

    count: int
    limit: int


@dataclass(frozen=True)
class Share:
    """What was given. Where that is nothing, when there may be more, in seconds from now."""

    count: int
    wait_s: float


def take(session: Session, wanted: Mapping[str, Want]) -> dict[str, Share]:
    """Take for each name what it wants, or what is left."""
    at = now(session.connection())
    session.exec(delete(QuotaTaken).where(col(QuotaTaken.second) <= at - COUNTS_S))
    names = {digest_of(name): name for name in wanted}
    shares = {name: share(want, 0, 0.0) for name, want in wanted.items()}
    for digest, taken, oldest in _taken(session, names):
        name = names[digest]
        shares[name] = share(wanted[name], taken, oldest + COUNTS_S - at)
    rows = [
        {"name": digest, "second": int(at), "taken": shares[name].count}
        for digest, name in sorted(names.items())
        if shares[name].count
    ]
    if rows:
        session.connection().execute(ADD, rows)
    return shares


def share(want: Want, taken: int, wait_s: float) -> Share:
    """What is given to one who has taken so many. `wait_s`: until some of them end."""
    count = min(want.count, max(0, want.limit - taken))
    return Share(count, 0.0 if count else wait_s)


def _taken(session: Session, digests: Mapping[str, str]) -> list[tuple[str, int, int]]:
    """Of those that took any: how much, and in which second first."""
    rows = session.exec(
        select(QuotaTaken.name, func.sum(QuotaTaken.taken), func.min(QuotaTaken.second))
        .where(col(QuotaTaken.name).in_(list(digests)))
        .group_by(col(QuotaTaken.name))
    )
    return [(name, int(taken), int(oldest)) for name, taken, oldest in rows]


def digest_of(name: str) -> str:
    """128 bits of its SHA-256."""
    return hashlib.sha256(name.encode(errors="replace")).hexdigest()[:32]
