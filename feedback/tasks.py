"""Items of the labelling queue: made of a prompt's answers, gold where the right ranks are known,
and open to whoever has not had them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, exists, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from . import rankings, rewards
from .database import now
from .errors import InvalidRanking, UnknownTask
from .labelling import Gold, PromptSource
from .pairing import most_disputed
from .tables import (
    Candidate,
    Generation,
    GoldRank,
    Task,
    TaskCandidate,
    TaskLease,
    TaskSkip,
)

ID_DIGITS = 9

CHOICE_S = 5.0
"""So long an item waits for what heads of a reward model say of its answers; then it is shown as it
is. Scoring takes a second or two, and none is done while a round runs.
"""


def add(
    session: Session,
    source: PromptSource,
    candidates: Sequence[str],
    version: str,
    wanted: int,
    shows: int | None = None,
) -> int:
    """Let a prompt's answers, or `shows` of them, be ranked by so many people, by each of its
    criteria. For 0, or without any answer, the prompt is only remembered as one that this version
    was asked. Returns the first item's id.
    """
    digest = _digest(session, candidates) or source.digest
    at = now(session.connection())
    items = [
        Task(
            kind="normal",
            wanted=wanted,
            closed=not wanted,
            criterion=criterion,
            shows=shows,
            prompt_id=source.prompt_id,
            prompt_digest=digest,
            version=version,
            created_at=at,
        )
        for criterion in source.criteria or (None,)
    ]
    ids = [put(session, item, candidates) for item in items]
    return ids[0]


def put(session: Session, task: Task, candidates: Sequence[str]) -> int:
    """Keep the item and its answers; returns its id."""
    session.add(task)
    session.flush()
    assert task.id is not None
    for place, id in enumerate(candidates):
        session.add(TaskCandidate(task_id=task.id, place=place, candidate_id=id))
    session.flush()
    return task.id


def _digest(session: Session, candidates: Sequence[str]) -> str | None:
    """That of the prompt that they answer."""
    return session.exec(
        select(Generation.prompt_digest)
        .join(Candidate, col(Candidate.generation_id) == Generation.id)
        .where(col(Candidate.id).in_(candidates))
    ).first()


def get(session: Session, id: str) -> Task:
    """The item; raises UnknownTask."""
    known = id.isascii() and id.isdigit() and len(id) <= ID_DIGITS
    task = session.get(Task, int(id)) if known else None
    if task is None:
        raise UnknownTask(f"no item has the id {id!r}", param="task_id", value=id)
    return task


def candidates_of(session: Session, task_id: int | None) -> list[str]:
    """The ids of its answers."""
    query = select(TaskCandidate.candidate_id).where(TaskCandidate.task_id == task_id)
    return list(session.exec(query.order_by(col(TaskCandidate.place))).all())


# Choosing among more answers than are shown


def settle(session: Session, scored: Collection[str]) -> None:
    """Choose the answers of items that these candidates belong to, as far as all are scored by
    now: those of which the heads of the newest such reward model think most unlike.
    """
    found = select(Task).join(TaskCandidate).where(col(TaskCandidate.candidate_id).in_(scored))
    for task in session.exec(found.where(col(Task.shows).is_not(None)).distinct()).all():
        ids = candidates_of(session, task.id)
        scores = rewards.by_head(session, ids)
        if scores and task.shows is not None:
            places = most_disputed([scores[id] for id in ids], task.shows)
            _show(session, task, [ids[place] for place in places])


def show_any(session: Session, task: Task) -> None:
    """Its first answers, where none have been chosen."""
    if task.shows is not None:
        _show(session, task, candidates_of(session, task.id)[: task.shows])


def _show(session: Session, task: Task, kept: Sequence[str]) -> None:
    """These answers, from now on, to everybody; the others are none of the item's any more."""
    for row in session.exec(select(TaskCandidate).where(TaskCandidate.task_id == task.id)).all():
        if row.candidate_id not in kept:
            session.delete(row)
    task.shows = None
    session.flush()


# Gold


def add_gold(session: Session, body: rankings.RankingBody) -> Gold:
    """Let everybody be given these answers once, to see whether they rank them so. For answers
    that are gold already the ranks are replaced.

    Raises InvalidRanking, UnknownCandidate or DifferentPrompts.
    """
    pairs = rankings.resolve(session, body)
    rankings.check_ranks(body.ranks, len(pairs))
    rankings.check_one_prompt(pairs)
    for candidate, generation in pairs:
        if not generation.consented:
            message = (
                f"{candidate.id!r} answers somebody who did not consent, so nobody is shown it"
            )
            raise InvalidRanking(message, param="candidates", value=candidate.id)
    ids = [candidate.id for candidate, _ in pairs]
    id = _gold_of(session, ids) or _new_gold(session, ids, pairs[0][1])
    for candidate_id, rank in zip(ids, body.ranks, strict=True):
        session.merge(GoldRank(task_id=id, candidate_id=candidate_id, rank=rank))
    return Gold(id, tuple(ids), tuple(body.ranks))


def _gold_of(session: Session, ids: Sequence[str]) -> int | None:
    """The gold item of exactly these answers."""
    found = session.exec(
        select(Task.id)
        .join(TaskCandidate, col(TaskCandidate.task_id) == Task.id)
        .where(Task.kind == "gold", TaskCandidate.candidate_id == ids[0])
    ).all()
    return next((id for id in found if set(candidates_of(session, id)) == set(ids)), None)


def _new_gold(session: Session, ids: Sequence[str], generation: Generation) -> int:
    task = Task(
        kind="gold",
        wanted=0,
        prompt_digest=generation.prompt_digest,
        version=generation.version,
        created_at=now(session.connection()),
    )
    return put(session, task, ids)


def gold(session: Session) -> list[Gold]:
    """Every gold item, oldest first."""
    found = []
    for id in session.exec(select(Task.id).where(Task.kind == "gold").order_by(col(Task.id))):
        ids = candidates_of(session, id)
        rows = session.exec(select(GoldRank).where(GoldRank.task_id == id)).all()
        ranks = {row.candidate_id: row.rank for row in rows}
        assert id is not None
        found.append(Gold(id, tuple(ids), tuple(ranks[candidate] for candidate in ids)))
    return found


# To whom items are open


def fresh_to(person: str, at: float) -> ColumnElement[bool]:
    """Never ranked or skipped by the person, and not theirs just now."""
    had = exists().where(
        col(TaskLease.task_id) == col(Task.id),
        col(TaskLease.person) == person,
        col(TaskLease.done_at).is_not(None) | (col(TaskLease.until) > at),
    )
    skipped = exists().where(col(TaskSkip.task_id) == col(Task.id), col(TaskSkip.person) == person)
    return ~had & ~skipped


def places_left(person: str, at: float) -> ColumnElement[int]:
    """How many more rankings an item needs than there are, and are on others' screens."""
    theirs = (
        select(func.count())
        .select_from(TaskLease)
        .where(
            col(TaskLease.task_id) == col(Task.id),
            col(TaskLease.person) != person,
            col(TaskLease.done_at).is_(None),
            col(TaskLease.until) > at,
        )
        .correlate(Task)
        .scalar_subquery()
    )
    return col(Task.wanted) - col(Task.labels) - theirs


def open_to(person: str, at: float) -> ColumnElement[bool]:
    """Items that the person could be given next."""
    waits = (col(Task.kind) == "normal") & ~col(Task.closed)
    return waits & fresh_to(person, at) & (places_left(person, at) > 0)


def being_chosen(at: float) -> ColumnElement[bool]:
    """Items that may still come to show better answers."""
    return col(Task.shows).is_not(None) & (col(Task.created_at) > at - CHOICE_S)


def unseen_gold(person: str, at: float) -> ColumnElement[bool]:
    """Gold none of whose answers the person has ranked in another item."""
    other, answers = aliased(TaskCandidate), aliased(TaskCandidate)
    ranked = exists().where(
        col(answers.task_id) == col(Task.id),
        col(answers.candidate_id) == col(other.candidate_id),
        col(other.task_id) == col(TaskLease.task_id),
        col(TaskLease.person) == person,
        col(TaskLease.done_at).is_not(None),
    )
    return (col(Task.kind) == "gold") & fresh_to(person, at) & ~ranked
