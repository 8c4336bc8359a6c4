"""Retries: what a person stored under an idempotency key, so that sending it again is harmless."""

from __future__ import annotations

from typing import Protocol, TypeVar

from sqlmodel import Session, col, select

from .errors import IdempotencyConflict
from .tables import Demonstration, Mark, Ranking

Row = TypeVar("Row", Ranking, Mark, Demonstration)


class Body(Protocol):
    """What somebody sent, whatever it is about."""

    @property
    def person(self) -> str:
        """Whose key it is: others may use the same one."""

    @property
    def idempotency_key(self) -> str | None:
        """None makes every sending one of its own."""

    def digest(self) -> str:
        """The same for a retry, another for another body."""


def stored_before(session: Session, table: type[Row], body: Body) -> list[Row]:
    """The rows that the person stored under the body's key, oldest first; none without a key.
    IdempotencyConflict if their body was another.
    """
    key = body.idempotency_key
    if key is None:
        return []
    rows = session.exec(
        select(table)
        .where(table.person == body.person, table.idempotency_key == key)
        .order_by(col(table.id))
    ).all()
    if any(row.body_digest != body.digest() for row in rows):
        message = f"the idempotency key {key!r} was used before, with another body"
        raise IdempotencyConflict(message, param="Idempotency-Key", value=key)
    return list(rows)
