"""Which rankings each round counted for less, and why: written down with its inputs, in the same
transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import func
from sqlmodel import Session, col, select

from .records import DownWeighting
from .tables import DownWeighting as Row
from .tables import Ranking, Round, RoundInput
from .trust.alarm import ALARM


def add(session: Session, round_id: int, down: Iterable[DownWeighting]) -> None:
    """Beside the round's inputs, which are there already."""
    session.flush()
    for one in down:
        session.add(
            Row(
                round_id=round_id,
                ranking_id=one.ranking_id,
                person=one.person,
                weight=one.weight,
                reason=one.reason,
            )
        )


def listed(session: Session, round_id: int) -> list[DownWeighting]:
    """The round's, in the order of their rankings."""
    rows = session.exec(
        select(Row).where(Row.round_id == round_id).order_by(col(Row.ranking_id))
    ).all()
    return [DownWeighting(row.ranking_id, row.person, row.weight, row.reason) for row in rows]


def counts(session: Session, rounds: Sequence[int | None]) -> dict[int, tuple[int, int]]:
    """By round, how many rankings were left out and how many counted for less."""
    out = func.count().filter(col(Row.weight) == 0)
    rows = session.exec(
        select(Row.round_id, out, func.count())
        .where(col(Row.round_id).in_(rounds))
        .group_by(col(Row.round_id))
    )
    return {id: (left_out, count - left_out) for id, left_out, count in rows}


def of_people(session: Session) -> dict[str, list[DownWeighting]]:
    """Everything that any round counted for less, by whose it was."""
    found: dict[str, list[DownWeighting]] = defaultdict(list)
    for row in session.exec(select(Row).order_by(col(Row.round_id), col(Row.ranking_id))):
        found[row.person].append(DownWeighting(row.ranking_id, row.person, row.weight, row.reason))
    return found


def last_weights(session: Session) -> tuple[int | None, Mapping[str, float]]:
    """The last round that used rankings, and what each person's weighed in it, all together; those
    by a criterion are not among them.
    """
    last = session.exec(select(func.max(RoundInput.round_id))).one()
    rows = session.exec(
        select(Ranking.person, func.sum(RoundInput.weight))
        .join(Ranking, col(Ranking.id) == RoundInput.ranking_id)
        .where(RoundInput.round_id == last, col(Ranking.criterion).is_(None))
        .group_by(col(Ranking.person))
    )
    return last, dict(rows.all())


def shares_before(session: Session, round_id: int, limit: int) -> list[float]:
    """The share of rankings left out by each of the last rounds that are over, newest first."""
    out = func.count().filter(col(RoundInput.weight) == 0)
    rows = session.exec(
        select(out, func.count())
        .join(Round, col(Round.id) == RoundInput.round_id)
        .where(RoundInput.round_id < round_id, Round.state == "done")
        .group_by(col(RoundInput.round_id))
        .order_by(col(RoundInput.round_id).desc())
        .limit(limit)
    )
    return [left_out / count for left_out, count in rows]


def alarm(session: Session) -> str | None:
    """What the last round that is over and used rankings raised, if it did."""
    used = select(RoundInput.round_id)
    row = session.exec(
        select(Round)
        .where(Round.state == "done", col(Round.id).in_(used))
        .order_by(col(Round.id).desc())
    ).first()
    reasons = row.reasons if row else []
    return next((reason["text"] for reason in reasons if reason["check"] == ALARM), None)
