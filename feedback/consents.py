"""Who allows that what they ask and say is learned from. A word on it is appended; the last counts.

Where people have to opt in, silence is no consent, nor is a yes to an earlier text; elsewhere only
a no is needed. What is recorded carries what held then; whoever says no is learned from no longer,
whatever held before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from .database import now
from .errors import StoreError
from .keys import any_issued
from .tables import Candidate, Consent, Generation, RankedCandidate, Ranking, WaitingRanking

TEXT_VERSION = "1"
"""Rises with every change of the text: a yes to another text is none."""

TEXT = (
    "What you ask, what you are answered and what you say of answers may train this service's "
    "models, which other people use too. You can change your mind at any time: nothing of yours is "
    "learned from then on. Models that have learned from it already are not unmade."
)

OPT_IN = "opt_in"
"""In a session's `info`: whether silence is a no."""


@dataclass(frozen=True)
class ConsentInfo:
    """A person's last word on being learned from (None: they have said nothing), to which version
    of the text; `holds`: what they say now may be. `text_version` and `text` are what is asked now.
    """

    person: str
    given: bool | None
    version: str | None
    at: float | None
    holds: bool
    text_version: str
    text: str


def say(session: Session, person: str, given: bool, text_version: str) -> ConsentInfo:
    """Append a person's word; raises StoreError for a yes to another text."""
    if given and text_version != TEXT_VERSION:
        message = f"the text is version {TEXT_VERSION!r} now, not {text_version!r}: read it anew"
        raise StoreError(message, param="version", value=text_version)
    at = now(session.connection())
    session.add(Consent(person=person, text_version=text_version, given=given, at=at))
    session.flush()
    if not given:
        _unqueue(session, person)
    return info(session, person)


def _unqueue(session: Session, person: str) -> None:
    """Rankings of theirs, or of answers to them, wait for no round."""
    about = (
        select(RankedCandidate.ranking_id)
        .join(Candidate, col(Candidate.id) == RankedCandidate.candidate_id)
        .join(Generation, col(Generation.id) == Candidate.generation_id)
        .where(Generation.person == person)
    )
    own = select(Ranking.id).where(Ranking.person == person)
    for ids in (own, about):
        session.exec(delete(WaitingRanking).where(col(WaitingRanking.ranking_id).in_(ids)))


def info(session: Session, person: str) -> ConsentInfo:
    """A person's last word, and whether what they say now is learned from."""
    last = _last(session, person)
    return ConsentInfo(
        person=person,
        given=None if last is None else last.given,
        version=None if last is None else last.text_version,
        at=None if last is None else last.at,
        holds=_holds(last, opt_in=_opt_in(session)),
        text_version=TEXT_VERSION,
        text=TEXT,
    )


def holds(session: Session, person: str) -> bool:
    """Whether what the person asks or says now may be learned from."""
    return _holds(_last(session, person), opt_in=_opt_in(session))


def _opt_in(session: Session) -> bool:
    """Silence is a no also once anybody has a key of their own."""
    return bool(session.info.get(OPT_IN)) or any_issued(session)


def _holds(last: Consent | None, *, opt_in: bool) -> bool:
    if last is None:
        return not opt_in
    return last.given and (last.text_version == TEXT_VERSION or not opt_in)


def _last(session: Session, person: str) -> Consent | None:
    query = select(Consent).where(Consent.person == person)
    return session.exec(query.order_by(col(Consent.id).desc()).limit(1)).first()


# For queries of what is learned from


def willing(person: Any) -> ColumnElement[bool]:
    """The person in this column has not said no since."""
    last = select(func.max(Consent.id)).group_by(col(Consent.person))
    said_no = select(Consent.person).where(col(Consent.id).in_(last), ~col(Consent.given))
    unwilling: ColumnElement[bool] = person.in_(said_no)
    return ~unwilling


def asked_by_the_willing(candidate: Any) -> ColumnElement[bool]:
    """Nor has whoever was given the answer in this column."""
    given, asked = aliased(Candidate), aliased(Generation)
    unwilling = (
        select(asked.id)
        .join(given, col(given.generation_id) == asked.id)
        .where(col(given.id) == candidate, ~willing(col(asked.person)))
    )
    return ~unwilling.exists()


def ranked_for_the_willing() -> ColumnElement[bool]:
    """Nor has anybody whose answers a ranking is of."""
    entry = aliased(RankedCandidate)
    unwilling = select(entry.ranking_id).where(
        col(entry.ranking_id) == col(Ranking.id),
        ~asked_by_the_willing(col(entry.candidate_id)),
    )
    return ~unwilling.exists()
