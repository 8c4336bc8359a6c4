"""A round again: what another round worked on, all of it or without some people's rankings."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session

from . import inputs, rounds
from .database import now
from .errors import IllegalMove, StoreError
from .tables import Round

STAGES = ("reward", "ppo")
"""Of a round that was to run those that were due: rankings were."""


def repeat(session: Session, id: int, *, without: Sequence[str], actor: str) -> Round:
    """Queue a round on another's inputs. Asked again while it is open, it is the answer.

    Raises UnknownRound; IllegalMove where the other is not over, or another one is open; StoreError
    for people who gave it nothing, and where nothing is left.
    """
    row, left_out = rounds.get(session, id), sorted(set(without))
    if row.decided_at is None:
        raise IllegalMove(f"round {id} is not over: {row.state}", param="repeat", value=id)
    other = rounds.open_round(session)
    if other is not None:
        if (other.repeat_of, other.without) == (id, left_out):
            return other
        message = f"round {other.id} is {other.state}: ask again when it is over"
        raise IllegalMove(message, param="repeat", value=id)
    _check(session, id, left_out)
    again = Round(
        trigger="operator",
        stages=row.stages or list(STAGES),
        actor=actor,
        created_at=now(session.connection()),
        repeat_of=id,
        without=left_out,
    )
    session.add(again)
    session.flush()
    assert again.id is not None
    inputs.copy(session, id, again.id, left_out)
    return again


def _check(session: Session, id: int, without: Sequence[str]) -> None:
    people = {info.person for info in inputs.listed(session, id, kept=True)}
    if not people:
        raise IllegalMove(
            f"round {id} used no rankings that are still there", param="repeat", value=id
        )
    for person in without:
        if person not in people:
            message = f"round {id} used no ranking of {person!r}"
            raise StoreError(message, param="without", value=person)
    if people <= set(without):
        message = f"without {', '.join(without)} round {id} has no rankings left"
        raise StoreError(message, param="without", value=list(without))
