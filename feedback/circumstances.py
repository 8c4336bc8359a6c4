"""Rankings as statistics of people read them, with how each came about and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlmodel import Session, select

from . import training
from .tables import GoldRank, RankedCandidate, Ranking, Task
from .trust.judgements import Judgement

Ranks = Mapping[str, int | None]
"""By candidate."""


def judgements(session: Session) -> list[Judgement]:
    """Every ranking to learn from, oldest first."""
    found = [Judgement.of(ranked) for ranked in training.rankings(session)]
    rows = _rows(session)
    kinds, gold = _kinds(session), _gold(session)
    return [_with(session, one, rows[one.ranking_id], kinds, gold) for one in found]


def _rows(session: Session) -> dict[int, Ranking]:
    rows = session.exec(select(Ranking).where(training.learnable()))
    return {row.id: row for row in rows if row.id is not None}


def _kinds(session: Session) -> dict[str, str]:
    """What is no normal item, by its id as rankings name it."""
    rows = session.exec(select(Task.id, Task.kind).where(Task.kind != "normal"))
    return {str(id): kind for id, kind in rows}


def _gold(session: Session) -> dict[str, dict[str, int | None]]:
    """The right ranks, by item."""
    found: dict[str, dict[str, int | None]] = {}
    for row in session.exec(select(GoldRank)):
        found.setdefault(str(row.task_id), {})[row.candidate_id] = row.rank
    return found


def _with(
    session: Session,
    judgement: Judgement,
    row: Ranking,
    kinds: Mapping[str, str],
    gold: Mapping[str, Ranks],
) -> Judgement:
    """The judgement with what its row and its item say."""
    known = gold.get(row.task_id or "")
    again = kinds.get(row.task_id or "") == "repeat"
    earlier = _before(session, row) if again else None
    return replace(
        judgement,
        shown=_places(judgement, row.shown),
        seconds=row.seconds,
        gold=_of(judgement, known),
        earlier=_of(judgement, earlier),
    )


def _places(judgement: Judgement, shown: Sequence[str] | None) -> tuple[int, ...] | None:
    if shown is None or set(shown) != set(judgement.candidates):
        return None
    return tuple(shown.index(id) for id in judgement.candidates)


def _of(judgement: Judgement, ranks: Ranks | None) -> tuple[int | None, ...] | None:
    if ranks is None:
        return None
    return tuple(ranks.get(id) for id in judgement.candidates)


def _before(session: Session, row: Ranking) -> Ranks | None:
    """What the person had said before they were asked again; a change of mind about that answer is
    no answer to being asked again.
    """
    earlier: Ranking | None = row
    while earlier is not None and earlier.task_id == row.task_id:
        earlier = session.get(Ranking, earlier.supersedes) if earlier.supersedes else None
    if earlier is None:
        return None
    entries = session.exec(select(RankedCandidate).where(RankedCandidate.ranking_id == earlier.id))
    return {entry.candidate_id: entry.rank for entry in entries}
