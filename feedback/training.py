"""What the learner learns from, and what waits for its next round.

A ranking is learned from when its people consented, at least two of its answers are ranked, and its
person did not replace it. It waits until a round that has used it ends in an outcome other than
failed or cancelled. One by a criterion goes along with the next round, and waits for none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, delete, exists, func
from sqlalchemy.orm import aliased, defer
from sqlmodel import Session, col, select

from . import consents
from .conversations import messages_of
from .database import now
from .preferences import Answer, RankedPrompt
from .records import Waiting
from .tables import (
    Candidate,
    Generation,
    RankedCandidate,
    Ranking,
    Round,
    RoundInput,
    SetAside,
    WaitingRanking,
)

# SQLModel types a column as its value, SQLAlchemy's loader options want the attribute.
NOT_NEEDED = [defer(cast("Any", column)) for column in (Candidate.logps, Candidate.raw_logps)]


def enqueue(session: Session, ranking: Ranking) -> None:
    """Let a new ranking wait if it can be learned from, in place of the one that it replaces."""
    if ranking.supersedes is not None:
        session.exec(
            delete(WaitingRanking).where(col(WaitingRanking.ranking_id) == ranking.supersedes)
        )
    waits = ranking.consented and ranking.comparable and ranking.criterion is None
    if waits and ranking.id is not None:
        session.add(WaitingRanking(ranking_id=ranking.id, since=ranking.created_at))


def dequeue(session: Session, round_id: int) -> None:
    """The round is done: what it used waits no longer."""
    used = select(RoundInput.ranking_id).where(RoundInput.round_id == round_id)
    session.exec(delete(WaitingRanking).where(col(WaitingRanking.ranking_id).in_(used)))


def unqueue(session: Session, ids: Collection[int]) -> None:
    """These wait no longer, though no round has used them."""
    session.exec(delete(WaitingRanking).where(col(WaitingRanking.ranking_id).in_(ids)))


def requeue(session: Session, ids: Collection[int]) -> None:
    """Of these, what can be learned from and no finished round has used waits again."""
    used = exists().where(
        col(RoundInput.ranking_id) == col(Ranking.id),
        col(RoundInput.round_id) == col(Round.id),
        col(Round.state) == "done",
    )
    waits = exists().where(col(WaitingRanking.ranking_id) == col(Ranking.id))
    for row in session.exec(select(Ranking).where(of(ids), ~used, ~waits)).all():
        assert row.id is not None
        session.add(WaitingRanking(ranking_id=row.id, since=row.created_at))


def waiting(session: Session) -> Waiting:
    """How many rankings wait, and how old the oldest is. Reads no other row than theirs."""
    count, oldest = session.exec(select(func.count(), func.min(WaitingRanking.since))).one()
    if oldest is None:
        return Waiting(0, None)
    return Waiting(count, max(0.0, now(session.connection()) - oldest))


def rankings(
    session: Session,
    which: ColumnElement[bool] | None = None,
    weights: Mapping[int, float] | None = None,
) -> list[RankedPrompt]:
    """Every ranking to learn from, or those that are asked for, oldest first, its answers in the
    order of its ranks. One weighs 1 unless `weights` says otherwise.
    """
    wanted, weights = learnable() if which is None else which, weights or {}
    chosen = session.exec(select(Ranking).where(wanted).order_by(col(Ranking.id))).all()
    ranked = session.exec(
        select(RankedCandidate, Candidate)
        .join(Ranking, col(Ranking.id) == RankedCandidate.ranking_id)
        .join(Candidate, col(Candidate.id) == RankedCandidate.candidate_id)
        .where(wanted)
        .order_by(col(RankedCandidate.ranking_id), col(RankedCandidate.place))
        .options(*NOT_NEEDED)
    )
    entries: dict[int | None, list[tuple[RankedCandidate, Candidate]]] = defaultdict(list)
    for entry, candidate in ranked:
        entries[entry.ranking_id].append((entry, candidate))
    found = (candidate for ranked in entries.values() for _, candidate in ranked)
    asked = _generations(session, None if which is None else {c.generation_id for c in found})
    return [
        _ranked_prompt(ranking, entries[ranking.id], asked, weights.get(ranking.id or 0, 1.0))
        for ranking in chosen
    ]


def of(ids: Collection[int]) -> ColumnElement[bool]:
    """Those of these ids that are to be learned from."""
    return learnable() & col(Ranking.id).in_(ids)


def ids_after(session: Session, after: int, limit: int) -> list[int]:
    """The ids of the next rankings to learn from."""
    query = select(Ranking.id).where(learnable(), col(Ranking.id) > after)
    ids = session.exec(query.order_by(col(Ranking.id)).limit(limit)).all()
    return [id for id in ids if id is not None]


def ids_by_use(session: Session, round_id: int | None) -> tuple[list[int], list[int]]:
    """The ids of all rankings to learn from, oldest first: those that the round used, and those
    that it did not. What it left out is in neither.
    """
    of_round = (col(RoundInput.ranking_id) == col(Ranking.id)) & (RoundInput.round_id == round_id)
    used, out = exists().where(of_round), exists().where(of_round, col(RoundInput.weight) == 0)
    rows = session.exec(select(Ranking.id, used).where(learnable(), ~out).order_by(col(Ranking.id)))
    ids: tuple[list[int], list[int]] = ([], [])
    for id, was_used in rows:
        if id is not None:
            ids[0 if was_used else 1].append(id)
    return ids


def last(session: Session) -> int:
    """The id of the last ranking, 0 before the first."""
    return session.exec(select(func.max(Ranking.id))).one() or 0


def learnable() -> ColumnElement[bool]:
    """Of the whole answers; consented, comparable, not taken back or set aside, a last word."""
    return telling() & ~is_aside()


def learnable_by(criteria: Collection[str]) -> ColumnElement[bool]:
    """The same by any of these criteria alone."""
    return col(Ranking.criterion).in_(criteria) & _last_words() & ~is_aside()


def telling() -> ColumnElement[bool]:
    """What is learnable, set aside or not: it says what people think of the answers."""
    return col(Ranking.criterion).is_(None) & _last_words()


def _last_words() -> ColumnElement[bool]:
    later = aliased(Ranking)
    replaced = exists().where(col(later.supersedes) == col(Ranking.id))
    return col(Ranking.consented) & col(Ranking.comparable) & _kept() & ~replaced


def allowed() -> ColumnElement[bool]:
    """Not taken back or set aside, and nobody of whom it is has said no since."""
    return _kept() & ~is_aside()


def is_aside() -> ColumnElement[bool]:
    """Set aside with the answers of a bad version."""
    return exists().where(
        col(SetAside.ranking_id) == col(Ranking.id), col(SetAside.lifted_at).is_(None)
    )


def _kept() -> ColumnElement[bool]:
    kept = col(Ranking.deleted_at).is_(None)
    return kept & consents.willing(col(Ranking.person)) & consents.ranked_for_the_willing()


def _generations(session: Session, ids: Collection[str] | None) -> dict[str, Generation]:
    """The generations that any ranking speaks of, or these, by their ids."""
    spoken_of = exists().where(
        col(Candidate.generation_id) == col(Generation.id),
        col(RankedCandidate.candidate_id) == col(Candidate.id),
    )
    wanted = spoken_of if ids is None else col(Generation.id).in_(ids)
    return {row.id: row for row in session.exec(select(Generation).where(wanted))}


def _ranked_prompt(
    ranking: Ranking,
    entries: Sequence[tuple[RankedCandidate, Candidate]],
    asked: Mapping[str, Generation],
    weight: float,
) -> RankedPrompt:
    assert ranking.id is not None
    generation = asked[entries[0][1].generation_id]
    return RankedPrompt(
        ranking_id=ranking.id,
        conversation_id=ranking.conversation_id,
        person=ranking.person,
        split=ranking.split,
        messages=messages_of(generation),
        prompt_ids=generation.prompt_ids,
        answers=tuple(
            Answer(row.id, row.text, row.token_ids, asked[row.generation_id].version)
            for _, row in entries
        ),
        ranks=tuple(entry.rank for entry, _ in entries),
        none_acceptable=ranking.none_acceptable,
        ratings=ranking.ratings,
        weight=weight,
        criterion=ranking.criterion,
    )
