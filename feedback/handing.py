"""Handing items of the labelling queue out and taking them back: one person's place in one item at
a time, on the database's clock.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from random import Random

from sqlalchemy import ColumnElement, exists
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from . import rankings, tasks
from .conversations import check_name, messages_of
from .database import now
from .errors import InvalidRanking, NotIssued
from .labelling import Item, ItemAnswer, Terms
from .records import StoredRanking
from .retries import stored_before
from .tables import Candidate, Generation, Ranking, Task, TaskLease, TaskSkip

REPEAT_AFTER = 5
"""Items that a person ranks before they are asked one of those before again: by then it is no
longer the answers that are remembered, but what is thought of them."""
REPEAT_WITHIN = 50
"""Further back than so many items nothing is repeated: people's standards move."""


def give(
    session: Session, person: str, terms: Terms, chance: Random, besides: Collection[int] = ()
) -> Item | None:
    """The item that is the person's already and none of `besides`, else the next one, from now on
    theirs, its answers shuffled. None if there is none; raises InvalidText.
    """
    check_name("user", person)
    at = now(session.connection())
    lease = _held(session, person, at, besides)
    if lease is None:
        task = _choose(session, person, at, terms, chance)
        if task is None:
            return None
        lease = _lease(session, task, person, at, terms, chance)
    return _item(session, lease, at)


def _held(session: Session, person: str, at: float, besides: Collection[int]) -> TaskLease | None:
    return session.exec(
        select(TaskLease)
        .where(
            TaskLease.person == person,
            col(TaskLease.done_at).is_(None),
            col(TaskLease.until) > at,
            col(TaskLease.task_id).not_in(besides),
        )
        .order_by(col(TaskLease.issued_at), col(TaskLease.id))
    ).first()


def _choose(session: Session, person: str, at: float, terms: Terms, chance: Random) -> Task | None:
    """Gold and repeats come in place of the next item, so that they look like it and come to an end
    with it.
    """
    drawn = chance.random()
    waits = tasks.open_to(person, at) & ~tasks.being_chosen(at)
    following = _first(session, waits, terms.first)
    other = None
    if following is not None and drawn < terms.gold:
        other = _first(session, tasks.unseen_gold(person, at))
    elif following is not None and drawn < terms.gold + terms.repeats:
        other = _repeat(session, person, at, chance)
    return other or following


def _first(session: Session, which: ColumnElement[bool], version: str | None = None) -> Task | None:
    """The oldest, of those made for this version if there are any."""
    query = select(Task).where(which).order_by(col(Task.id)).limit(1)
    of_it = None if version is None else session.exec(query.where(Task.version == version)).first()
    return of_it or session.exec(query).first()


def _repeat(session: Session, person: str, at: float, chance: Random) -> Task | None:
    """One of the person's items once more, as an item of its own."""
    again = aliased(Task)
    repeated = exists().where(col(again.repeat_of) == col(Task.id), col(again.person) == person)
    done = session.exec(
        select(Task, ~repeated)
        .join(TaskLease, col(TaskLease.task_id) == Task.id)
        .where(TaskLease.person == person, col(TaskLease.done_at).is_not(None))
        .where(Task.kind == "normal")
        .order_by(col(TaskLease.done_at).desc(), col(TaskLease.id).desc())
        .limit(REPEAT_WITHIN)
        .offset(REPEAT_AFTER)
    ).all()
    fresh = [task for task, never in done if never]
    if not fresh:
        return None
    task = chance.choice(fresh)
    repeat = Task(
        kind="repeat",
        wanted=1,
        criterion=task.criterion,
        prompt_id=task.prompt_id,
        prompt_digest=task.prompt_digest,
        version=task.version,
        repeat_of=task.id,
        person=person,
        created_at=at,
    )
    tasks.put(session, repeat, tasks.candidates_of(session, task.id))
    return repeat


def _lease(
    session: Session, task: Task, person: str, at: float, terms: Terms, chance: Random
) -> TaskLease:
    """The person's lease of the item, from now; one that expired unanswered is given again."""
    lease = _lease_of(session, task, person)
    if lease is None:
        tasks.show_any(session, task)
        shown = tasks.candidates_of(session, task.id)
        chance.shuffle(shown)
        assert task.id is not None
        lease = TaskLease(task_id=task.id, person=person, shown=shown, issued_at=at, until=at)
        session.add(lease)
    lease.issued_at, lease.until = at, at + terms.lease_s
    session.flush()
    return lease


def _lease_of(session: Session, task: Task, person: str) -> TaskLease | None:
    return session.exec(
        select(TaskLease).where(TaskLease.task_id == task.id, TaskLease.person == person)
    ).first()


def _item(session: Session, lease: TaskLease, at: float) -> Item:
    rows = session.exec(
        select(Candidate.id, Candidate.text, Generation)
        .join(Generation, col(Generation.id) == Candidate.generation_id)
        .where(col(Candidate.id).in_(lease.shown))
    ).all()
    texts = {id: text for id, text, _ in rows}
    task = session.get_one(Task, lease.task_id)
    return Item(
        id=lease.task_id,
        kind=task.kind,
        messages=messages_of(rows[0][2]),
        answers=tuple(ItemAnswer(id, texts[id]) for id in lease.shown),
        left_s=lease.until - at,
        criterion=task.criterion,
    )


# What comes back


def answer(session: Session, body: rankings.RankingBody) -> StoredRanking:
    """Append the ranking of the item that `task_id` names, or find the one that this is a retry of;
    the item is done. A second one supersedes the first.

    Raises what a ranking raises, UnknownTask, and NotIssued for an item that is not the person's.
    """
    if stored_before(session, Ranking, body):
        return rankings.add(session, body)
    task, lease = _issued(session, body.task_id or "", body.person)
    at = now(session.connection())
    if lease.done_at is None:
        _check_free(session, task, lease, at)
    ranked = [candidate.id for candidate, _ in rankings.resolve(session, body)]
    if sorted(ranked) != sorted(lease.shown):
        message = f"item {task.id} has other answers than those that were ranked"
        raise InvalidRanking(message, param="candidates", value=ranked)
    if body.criterion not in (None, task.criterion):
        message = f"item {task.id} is ranked {_by(task)}, not by {body.criterion!r}"
        raise InvalidRanking(message, param="criterion", value=body.criterion)
    told = replace(body.told, shown=lease.shown, blind=True)
    stored = rankings.add(session, replace(body, told=told, criterion=task.criterion))
    if lease.done_at is None:
        lease.done_at = at
        task.labels += 1
        task.closed = task.labels >= task.wanted
    lease.ranking_id = stored.id
    return stored


def _by(task: Task) -> str:
    return "as a whole" if task.criterion is None else f"by {task.criterion!r}"


def _issued(session: Session, task_id: str, person: str) -> tuple[Task, TaskLease]:
    task = tasks.get(session, task_id)
    lease = _lease_of(session, task, person)
    if lease is None:
        message = f"item {task_id} was not given to {person!r}: ask for the next one"
        raise NotIssued(message, param="task_id", value=task_id)
    return task, lease


def _check_free(session: Session, task: Task, lease: TaskLease, at: float) -> None:
    """An answer that is late counts as long as nobody else was given the place."""
    if not _is_free(session, task, lease, at):
        message = (
            f"the time for item {task.id} was over and it went to somebody else, so this ranking"
            " was not recorded: ask for the next one"
        )
        raise NotIssued(message, param="task_id", value=str(task.id))


def _is_free(session: Session, task: Task, lease: TaskLease, at: float) -> bool:
    """Whether the place is the person's still, or nobody else's by now."""
    if lease.until > at or task.kind != "normal":
        return True
    free = select(Task.id).where(Task.id == task.id, tasks.places_left(lease.person, at) > 0)
    return session.exec(free).first() is not None


def renew(session: Session, task_id: str, person: str, lease_s: float) -> float:
    """The item stays with the person for so many seconds from now; returns them. Raises
    UnknownTask, and NotIssued for one that is done, skipped, or somebody else's by now.
    """
    task, lease = _issued(session, task_id, person)
    at = now(session.connection())
    skipped = session.get(TaskSkip, (task.id, person)) is not None
    if lease.done_at is not None or skipped or not _is_free(session, task, lease, at):
        message = f"item {task_id} is no longer with {person!r}: ask for the next one"
        raise NotIssued(message, param="task_id", value=task_id)
    lease.until = max(lease.until, at + lease_s)
    return lease.until - at


def skip(session: Session, task_id: str, person: str, reason: str) -> None:
    """The person will not rank the item, and is not given it again; somebody else is. Again is
    harmless. Raises UnknownTask, NotIssued.
    """
    task, lease = _issued(session, task_id, person)
    if lease.done_at is not None:
        message = f"item {task_id} is ranked already; a new ranking replaces the old one"
        raise NotIssued(message, param="task_id", value=task_id)
    at = now(session.connection())
    lease.until = min(lease.until, at)
    if session.get(TaskSkip, (task.id, person)) is None:
        assert task.id is not None
        session.add(TaskSkip(task_id=task.id, person=person, reason=reason, at=at))
