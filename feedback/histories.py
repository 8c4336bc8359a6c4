"""A person's conversations as they were, branches and all, read from the generations.

Nothing is stored for them: a turn is known by the turns before it and its own text, so that an
answer that was asked for again, and a message that was edited, are branches of one tree.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import func
from sqlmodel import Session, col, select

from .conversations import messages_of
from .errors import NotFound
from .preferences import first_user_message
from .records import ConversationInfo, TreeTurn
from .tables import Candidate, Generation, RankedCandidate, Ranking

TITLE = 80
"""Characters of a conversation's first message that name it."""


def of_person(session: Session, person: str, limit: int) -> list[ConversationInfo]:
    """The person's last conversations, the one that went on last first."""
    last = func.max(Generation.created_at)
    rows = session.exec(
        select(Generation.conversation_id, func.min(Generation.created_at), last, func.count())
        .where(Generation.person == person, col(Generation.listed))
        .group_by(Generation.conversation_id)
        .order_by(last.desc(), col(Generation.conversation_id))
        .limit(limit)
    ).all()
    titles = _titles(session, person, [id for id, *_ in rows])
    return [
        ConversationInfo(id, titles[id], first, last, answers) for id, first, last, answers in rows
    ]


def _titles(session: Session, person: str, ids: Sequence[str]) -> dict[str, str]:
    """What was said first in each."""
    place = func.row_number().over(
        partition_by=col(Generation.conversation_id),
        order_by=(col(Generation.created_at), col(Generation.id)),
    )
    numbered = (
        select(col(Generation.id).label("id"), place.label("place"))
        .where(
            Generation.person == person,
            col(Generation.conversation_id).in_(ids),
            col(Generation.listed),
        )
        .subquery()
    )
    rows = session.exec(
        select(Generation)
        .join(numbered, col(Generation.id) == numbered.c.id)
        .where(numbered.c.place == 1)
    )
    return {row.conversation_id: _title(row) for row in rows}


def _title(row: Generation) -> str:
    text = " ".join(first_user_message(messages_of(row)).split())
    return text if len(text) <= TITLE else text[: TITLE - 1] + "\N{HORIZONTAL ELLIPSIS}"


def tree(session: Session, id: str, person: str) -> list[TreeTurn]:
    """A conversation's turns, each after the one that it answers; raises NotFound where the person
    has none of this id.
    """
    generations = session.exec(
        select(Generation)
        .where(
            Generation.person == person,
            Generation.conversation_id == id,
            col(Generation.listed),
        )
        .order_by(col(Generation.created_at), col(Generation.id))
    ).all()
    if not generations:
        raise NotFound(f"no conversation has the id {id!r}", param="conversation_id", value=id)
    answers = _answers(session, [row.id for row in generations])
    ranks = _ranks(session, person, [each.id for found in answers.values() for each in found])
    turns: dict[str, TreeTurn] = {}
    for row in generations:
        for turn in _turns(row, answers.get(row.id, ()), ranks):
            turns[turn.id] = _same(turns.get(turn.id), turn)
    return list(turns.values())


def _turns(
    row: Generation, answers: Iterable[Candidate], ranks: Mapping[str, int | None]
) -> Iterator[TreeTurn]:
    """The turns that led to a generation, and its answers."""
    parent: str | None = None
    for role, text in messages_of(row):
        id = _id(parent, role, text)
        yield TreeTurn(id, parent, role, text, row.created_at)
        parent = id
    for answer in answers:
        yield TreeTurn(
            _id(parent, "assistant", answer.text),
            parent,
            "assistant",
            answer.text,
            row.created_at,
            version=row.version,
            candidate=answer.id,
            rank=ranks.get(answer.id),
        )


def _same(known: TreeTurn | None, turn: TreeTurn) -> TreeTurn:
    """One turn that was seen twice: when it was first, and what is known of it as an answer."""
    if known is None:
        return turn
    if known.candidate is None and turn.candidate is not None:
        return replace(turn, at=known.at)
    return known if known.rank is not None else replace(known, rank=turn.rank)


def _id(parent: str | None, role: str, text: str) -> str:
    return hashlib.sha256(json.dumps([parent, role, text]).encode()).hexdigest()[:16]


def _answers(session: Session, ids: Sequence[str]) -> dict[str, list[Candidate]]:
    """By generation, in their order."""
    found: dict[str, list[Candidate]] = {}
    for row in session.exec(
        select(Candidate)
        .where(col(Candidate.generation_id).in_(ids))
        .order_by(col(Candidate.generation_id), col(Candidate.place))
    ):
        found.setdefault(row.generation_id, []).append(row)
    return found


def _ranks(session: Session, person: str, candidates: Sequence[str]) -> dict[str, int | None]:
    """What the person ranked each of them last, as a whole."""
    rows = session.exec(
        select(RankedCandidate.candidate_id, RankedCandidate.rank)
        .join(Ranking, col(Ranking.id) == RankedCandidate.ranking_id)
        .where(Ranking.person == person, col(Ranking.criterion).is_(None))
        .where(col(RankedCandidate.candidate_id).in_(candidates))
        .order_by(col(Ranking.id))
    )
    return dict(iter(rows))
