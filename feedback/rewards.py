"""What reward models say of stored answers, and which answers they are to be asked about next.

A row is one figure of one answer: the total, or a part of it. A model that says something new of an
answer replaces what it had said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import ColumnElement, delete, exists, func
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from .conversations import messages_of
from .database import now
from .preferences import IMPORTED
from .records import UnscoredAnswer
from .tables import (
    Candidate,
    CandidateReward,
    Generation,
    Task,
    TaskCandidate,
    Version,
    WantedReward,
)

RECENT = 256
"""Generations whose answers are scored unasked: those that people may be looking at."""


def add(
    session: Session,
    reward_id: str,
    found: Mapping[str, Mapping[str, float]],
    since: int,
    by_head: Mapping[str, Sequence[float]],
) -> None:
    """Keep the figures of these candidates by name, `since` rankings after the model's round, and
    what each of its heads says of them.
    """
    ids = [*found]
    session.exec(
        delete(CandidateReward).where(
            col(CandidateReward.reward_id) == reward_id, col(CandidateReward.candidate_id).in_(ids)
        )
    )
    session.exec(delete(WantedReward).where(col(WantedReward.candidate_id).in_(ids)))
    for candidate_id, figures in found.items():
        heads = tuple(by_head[candidate_id]) if candidate_id in by_head else None
        for place, (name, value) in enumerate(figures.items()):
            session.add(
                CandidateReward(
                    candidate_id=candidate_id,
                    reward_id=reward_id,
                    name=name,
                    place=place,
                    value=value,
                    since=since,
                    by_head=None if place else heads,
                )
            )


def of(session: Session, candidate_id: str) -> dict[str, dict[str, float]]:
    """An answer's figures by reward model: "r3", or "r3+17" where it took in 17 rankings since."""
    rows = session.exec(
        select(CandidateReward)
        .where(CandidateReward.candidate_id == candidate_id)
        .order_by(col(CandidateReward.place))
    )
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows:
        found[f"{row.reward_id}+{row.since}" if row.since else row.reward_id][row.name] = row.value
    return dict(sorted(found.items(), key=lambda item: int(item[0].partition("+")[0][1:])))


def by_head(session: Session, ids: Collection[str]) -> dict[str, tuple[float, ...]]:
    """What the heads of the newest reward model say that has scored all of these candidates;
    nothing where none has.
    """
    rows = session.exec(
        select(CandidateReward).where(
            col(CandidateReward.candidate_id).in_(ids), col(CandidateReward.by_head).is_not(None)
        )
    )
    found: dict[str, dict[str, tuple[float, ...]]] = defaultdict(dict)
    for row in rows:
        found[row.reward_id][row.candidate_id] = row.by_head or ()
    whole = [id for id, scores in found.items() if len(scores) == len(ids)]
    return found[max(whole, key=_number)] if whole else {}


def _number(reward_id: str) -> int:
    return int(reward_id.removeprefix("r"))


def want(session: Session, candidate_id: str) -> None:
    """Have the answer scored next, if there is a reward model that could."""
    if session.get(WantedReward, candidate_id) is None and newest(session) is not None:
        session.add(WantedReward(candidate_id=candidate_id, at=now(session.connection())))


def newest(session: Session) -> Version | None:
    """The last reward model that was published."""
    return session.exec(
        select(Version)
        .where(Version.kind == "reward", Version.state != "failed")
        .order_by(col(Version.created_at).desc())
        .limit(1)
    ).first()


def unscored(session: Session, reward_id: str, limit: int) -> list[UnscoredAnswer]:
    """Answers that this model has said nothing of: first those of items that wait, a few seconds at
    most, until it is known which of their answers to show; then those that are wanted, first come
    first served; then those of the last generations, newest first.
    """
    unsaid = ~exists().where(
        col(CandidateReward.candidate_id) == col(Candidate.id),
        col(CandidateReward.reward_id) == reward_id,
    )
    of_items = (
        select(Candidate.id)
        .join(TaskCandidate, col(TaskCandidate.candidate_id) == Candidate.id)
        .join(Task, col(Task.id) == TaskCandidate.task_id)
        .where(col(Task.shows).is_not(None), unsaid, _has_tokens())
        .order_by(col(Task.id), col(TaskCandidate.place))
    )
    wanted = (
        select(Candidate.id)
        .join(WantedReward, col(WantedReward.candidate_id) == Candidate.id)
        .where(_has_tokens())
        .order_by(col(WantedReward.at))
    )
    last = (
        select(Generation.id)
        .where(Generation.version != IMPORTED)
        .order_by(col(Generation.created_at).desc())
        .limit(RECENT)
    )
    recent = (
        select(Candidate.id)
        .join(Generation, col(Generation.id) == Candidate.generation_id)
        .where(col(Generation.id).in_(last), unsaid, _has_tokens())
        .order_by(col(Generation.created_at).desc(), col(Generation.id), col(Candidate.place))
    )
    ids: list[str] = []
    for query in (of_items, wanted, recent):
        ids += [id for id in _first(session, query, limit) if id not in ids]
        if len(ids) >= limit:
            break
    return answers(session, ids[:limit])


def _first(session: Session, query: SelectOfScalar[str], limit: int) -> list[str]:
    return list(session.exec(query.limit(limit)).all())


def _has_tokens() -> ColumnElement[bool]:
    return func.length(col(Candidate.token_ids)) > 0


def answers(session: Session, ids: Sequence[str]) -> list[UnscoredAnswer]:
    """What it takes to score these candidates, in this order; those without tokens are left out."""
    rows = session.exec(
        select(Candidate.id, Candidate.text, Candidate.token_ids, Generation)
        .join(Generation, col(Generation.id) == Candidate.generation_id)
        .where(col(Candidate.id).in_(ids), _has_tokens())
    )
    found = {
        id: UnscoredAnswer(
            id, messages_of(generation), generation.prompt_ids, text, tuple(token_ids)
        )
        for id, text, token_ids, generation in rows
    }
    return [found[id] for id in ids if id in found]
