"""What a person takes back: their words, tokens and feedback.

Rows stay, empty and without the person's name, since rounds name what they used; `deleted_at` keeps
them out of everything that is learned. What others said of answers that are gone is learned no
longer either: there is nothing left to compare.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, delete, or_, update
from sqlmodel import Session, col, select

from .database import now
from .tables import (
    Candidate,
    CandidateReward,
    Demonstration,
    Generation,
    GoldRank,
    LeftOut,
    Mark,
    Prompt,
    RankedCandidate,
    Ranking,
    RoundDemonstration,
    RoundInput,
    RoundMark,
    RoundPrompt,
    RoundSetPrompt,
    ShownAnswer,
    Task,
    TaskCandidate,
    TaskLease,
    TaskSkip,
    Version,
    WaitingRanking,
    WantedReward,
)

NOBODY = "deleted"
"""Whose the emptied rows are."""

APPENDED: dict[str, Any] = {"person": NOBODY, "idempotency_key": None, "body_digest": ""}


@dataclass(frozen=True)
class Erased:
    """What a person took back: how many rows of each kind, the rounds that had used any, and the
    versions that these published or that were made from those.
    """

    person: str
    requests: int
    rankings: int
    marks: int
    demonstrations: int
    rounds: tuple[int, ...]
    versions: tuple[str, ...]


def erase(session: Session, person: str) -> Erased:
    """Empty all that is this person's; what rounds and versions had used of it is told."""
    overwrite(session)
    at, rounds = now(session.connection()), _rounds(session, person)
    _unqueue(session, person)
    counts = {
        "rankings": _emptied(session, Ranking, person, at, **_NOTHING_RANKED),
        "marks": _emptied(session, Mark, person, at, comment=None, value=0.0, prompt_digest=""),
        "demonstrations": _emptied(session, Demonstration, person, at, **_NOTHING_SHOWN),
    }
    _of_others(session, person, at)
    _labelled(session, person)
    requests = _generations(session, person, at)
    return Erased(person, requests, **counts, rounds=rounds, versions=_versions(session, rounds))


_NOTHING_SHOWN: dict[str, Any] = {"messages": [], "conversation_id": ""}
_NOTHING_RANKED: dict[str, Any] = {
    "ratings": None,
    "comment": None,
    "task_id": None,
    "shown": None,
    "seconds": None,
    "input": None,
    "conversation_id": "",
    "candidates_digest": "",
}


def overwrite(session: Session) -> None:
    """Have SQLite write zeros over what is deleted, not only let go of it."""
    if session.connection().dialect.name == "sqlite":
        session.connection().exec_driver_sql("PRAGMA secure_delete = ON")


def _answers(person: str) -> Select[Any]:
    """The ids of the answers that they were given."""
    asked = select(Generation.id).where(Generation.person == person)
    return select(Candidate.id).where(col(Candidate.generation_id).in_(asked))


def _ranked(person: str) -> ColumnElement[bool]:
    """Rankings of theirs, or of answers to them."""
    about = select(RankedCandidate.ranking_id).where(
        col(RankedCandidate.candidate_id).in_(_answers(person))
    )
    return or_(col(Ranking.person) == person, col(Ranking.id).in_(about))


def _said(table: Any, person: str) -> ColumnElement[bool]:
    """Marks or demonstrations of theirs, or of answers to them."""
    return or_(table.person == person, table.candidate_id.in_(_answers(person)))


def _rounds(session: Session, person: str) -> tuple[int, ...]:
    """The rounds that used anything of it."""
    rankings = select(Ranking.id).where(_ranked(person))
    marks = select(Mark.id).where(_said(Mark, person))
    shown = select(Demonstration.id).where(_said(Demonstration, person))
    asked = select(Generation.id).where(Generation.person == person)
    imported = select(Prompt.id).where(Prompt.person == person)
    used = [
        select(RoundInput.round_id).where(col(RoundInput.ranking_id).in_(rankings)),
        select(RoundMark.round_id).where(col(RoundMark.mark_id).in_(marks)),
        select(RoundDemonstration.round_id).where(
            col(RoundDemonstration.demonstration_id).in_(shown)
        ),
        select(RoundPrompt.round_id).where(col(RoundPrompt.generation_id).in_(asked)),
        select(RoundSetPrompt.round_id).where(col(RoundSetPrompt.prompt_id).in_(imported)),
    ]
    return tuple(sorted({id for query in used for id in session.exec(query)}))


def _versions(session: Session, rounds: Iterable[int]) -> tuple[str, ...]:
    """What these rounds published, and all that was made from it since, oldest first."""
    found: list[str] = []
    of = set(rounds)
    for version in session.exec(select(Version).order_by(col(Version.created_at), col(Version.id))):
        if version.round_id in of or version.parent in found:
            found.append(version.id)
    return tuple(found)


def _unqueue(session: Session, person: str) -> None:
    """Theirs lose their order; neither theirs nor those of answers to them wait for a round."""
    ids = select(Ranking.id).where(_ranked(person))
    own = select(Ranking.id).where(Ranking.person == person)
    session.exec(delete(WaitingRanking).where(col(WaitingRanking.ranking_id).in_(ids)))
    session.exec(
        update(RankedCandidate).where(col(RankedCandidate.ranking_id).in_(own)).values(rank=None)
    )


def _emptied(session: Session, table: Any, person: str, at: float, **nothing: Any) -> int:
    """How many rows of theirs were emptied; what a round left out of them is forgotten."""
    kind = str(table.__tablename__)
    own = select(table.id).where(table.person == person)
    session.exec(delete(LeftOut).where(col(LeftOut.kind) == kind, col(LeftOut.row_id).in_(own)))
    done = session.exec(
        update(table)
        .where(table.person == person)
        .values(**APPENDED, **nothing, deleted_at=at)
        .execution_options(synchronize_session=False)
    )
    return int(done.rowcount)


def _of_others(session: Session, person: str, at: float) -> None:
    """What others said of answers to them; an edited one holds their words."""
    about = [
        (Ranking, _ranked(person), {}),
        (Mark, _said(Mark, person), {}),
        (Demonstration, _said(Demonstration, person), _NOTHING_SHOWN),
    ]
    for table, which, nothing in about:
        kept: Any = table
        session.exec(
            update(kept)
            .where(which, kept.deleted_at.is_(None))
            .values(deleted_at=at, **nothing)
            .execution_options(synchronize_session=False)
        )


def _labelled(session: Session, person: str) -> None:
    """Prompts of theirs lose their words, and no item of answers to them is given to anybody; what
    they were given, were shown and would not rank is forgotten.
    """
    items = select(TaskCandidate.task_id).where(
        col(TaskCandidate.candidate_id).in_(_answers(person))
    )
    session.exec(update(Task).where(col(Task.id).in_(items)).values(closed=True))
    session.exec(update(Task).where(col(Task.person) == person).values(person=NOBODY, closed=True))
    session.exec(delete(GoldRank).where(col(GoldRank.task_id).in_(items)))
    theirs = col(Prompt.person) == person
    answered = select(Task.prompt_id).where(col(Task.prompt_id).is_not(None))
    drawn = select(RoundSetPrompt.prompt_id)
    needless = col(Prompt.id).not_in(answered) & col(Prompt.id).not_in(drawn)
    session.exec(delete(Prompt).where(theirs, needless))
    session.exec(
        update(Prompt)
        .where(theirs)
        .values(person=NOBODY, messages=[], digest=cast(col(Prompt.id), String))
    )
    session.exec(delete(TaskSkip).where(col(TaskSkip.person) == person))
    session.exec(delete(TaskLease).where(col(TaskLease.person) == person))
    session.exec(delete(ShownAnswer).where(col(ShownAnswer.person) == person))


def _generations(session: Session, person: str, at: float) -> int:
    return empty(session, col(Generation.person) == person, at)


def empty(session: Session, which: ColumnElement[bool], at: float) -> int:
    """Requests and answers lose words, tokens and figures; each is a conversation of its own. How
    many requests that were.
    """
    answers = select(Candidate.id).where(
        col(Candidate.generation_id).in_(select(Generation.id).where(which))
    )
    for table in (CandidateReward, WantedReward):
        session.exec(delete(table).where(col(table.candidate_id).in_(answers)))
    session.exec(
        update(Candidate)
        .where(col(Candidate.id).in_(answers))
        .values(text="", token_ids=(), logps=(), raw_logps=())
        .execution_options(synchronize_session=False)
    )
    done = session.exec(
        update(Generation)
        .where(which)
        .values(
            person=NOBODY,
            conversation_id=col(Generation.id),
            messages=[],
            prompt_ids=(),
            prompt_digest="",
            params={},
            seed=0,
            listed=False,
            deleted_at=at,
        )
        .execution_options(synchronize_session=False)
    )
    return int(done.rowcount)
