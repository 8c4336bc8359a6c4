"""Who may sign in: invited by a link that is good once, or let in by an OpenID provider.

A password comes here as it is kept (`passwords.py`); to make it so is slow and happens outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, delete, select

from . import sessions, tokens
from .database import now
from .erasing import NOBODY
from .errors import NameTaken, NotAdmitted, StoreError, UnknownAccount
from .keys import in_order
from .tables import Account, ApiKey, Demonstration, Generation, Invitation, Mark, Ranking

KIND = "ri"
FORM = tokens.form(KIND)
RESERVED = frozenset({NOBODY, "local", "key"})
"""Whose the emptied rows are, and those of whoever has the machine or its key."""

USED_UP = "this invitation was used, has expired or never was; ask for another"


@dataclass(frozen=True)
class AccountInfo:
    """Somebody who may sign in, or might until they were revoked."""

    person: str
    scopes: tuple[str, ...]
    has_password: bool
    subject: str | None
    created_at: float
    ended_at: float | None
    invited_until: float | None
    """When the newest invitation expires; None where none is open."""


def invite(
    session: Session, person: str, scopes: Sequence[str] | None, lifetime_s: float
) -> tuple[AccountInfo, str]:
    """An invitation's text, its only copy; earlier ones end. Without `scopes` somebody who is known
    keeps theirs. Raises StoreError.
    """
    if not lifetime_s > 0:
        raise StoreError("an invitation lasts longer than no time", value=lifetime_s)
    row = _opened(session, person, scopes)
    at = now(session.connection())
    _end_invitations(session, person)
    id, text = tokens.new(KIND)
    session.add(
        Invitation(
            id=id,
            person=person,
            digest=tokens.digest_of(text),
            created_at=at,
            expires_at=at + lifetime_s,
        )
    )
    session.flush()
    return _info(session, row), text


def _opened(session: Session, person: str, scopes: Sequence[str] | None) -> Account:
    """The person's account, made or opened again."""
    if person in RESERVED:
        raise StoreError(f"{person!r} is nobody's own name: choose another", value=person)
    row = session.get(Account, person)
    if row is None:
        made_at = now(session.connection())
        row = Account(person=person, scopes=in_order(scopes or ()), created_at=made_at)
    elif scopes is not None:
        row.scopes = in_order(scopes)
    row.ended_at = None
    session.add(row)
    session.flush()
    return row


def invited(session: Session, text: str) -> str:
    """Whom this invitation is for. Raises NotAdmitted unless it is good now."""
    return _invitation(session, text).person


def _invitation(session: Session, text: str) -> Invitation:
    form = FORM.fullmatch(text)
    row = None if form is None else session.get(Invitation, form[1])
    at = now(session.connection())
    if row is None or not tokens.fits(row.digest, text) or row.used_at or row.expires_at <= at:
        raise NotAdmitted(USED_UP)
    return row


def redeem(session: Session, text: str, kept: str) -> str:
    """Use an invitation up: the person it is for has this password from now on, and is signed out
    elsewhere. Raises NotAdmitted.
    """
    row = _invitation(session, text)
    row.used_at = now(session.connection())
    set_password(session, row.person, kept)
    return row.person


def set_password(session: Session, person: str, kept: str) -> None:
    """A new password; whoever was signed in by the old one is no longer. Raises UnknownAccount."""
    row = session.get(Account, person)
    if row is None or row.ended_at is not None:
        told = f"nobody called {person!r} may sign in: rankloop users invite {person}"
        raise UnknownAccount(told, value=person)
    row.password = kept
    sessions.end_all(session, person)


def keep_anew(session: Session, person: str, kept: str) -> None:
    """The same password, as it is kept from now on."""
    session.get_one(Account, person).password = kept


def password_of(session: Session, person: str) -> str | None:
    """What is kept of a password; None for whoever has none and may not sign in."""
    row = session.get(Account, person)
    return None if row is None or row.ended_at is not None else row.password


def admit(session: Session, subject: str, name: str, scopes: Sequence[str]) -> str:
    """Whom an OpenID provider means by `subject`, under the name that they first came with, with
    these scopes from now on. Raises NotAdmitted for somebody who was revoked, NameTaken for a first
    name that anybody here has had, StoreError.
    """
    row = session.exec(select(Account).where(Account.subject == subject)).first()
    if row is None:
        if name in RESERVED or _is_known(session, name):
            told = f"the name {name!r} is taken here; ask whoever runs this service"
            raise NameTaken(told, value=name)
        row = _opened(session, name, scopes)
        row.subject = subject
    elif row.ended_at is not None:
        raise NotAdmitted(f"{row.person!r} may not sign in any longer", value=row.person)
    row.scopes = in_order(scopes)
    session.flush()
    return row.person


def _is_known(session: Session, name: str) -> bool:
    """Whether anything on record is somebody's of this name."""
    of = (Account, ApiKey, Generation, Ranking, Mark, Demonstration)
    return any(
        session.exec(select(table.person).where(table.person == name).limit(1)).first() is not None
        for table in of
    )


def end(session: Session, person: str) -> bool:
    """Let somebody sign in no longer, and end their sessions and invitations; whether they might
    until now.
    """
    _end_invitations(session, person)
    sessions.end_all(session, person)
    row = session.get(Account, person)
    if row is None or row.ended_at is not None:
        return False
    row.ended_at, row.password = now(session.connection()), None
    return True


def erase(session: Session, person: str) -> None:
    """Forget that somebody might sign in. That anybody ever might is kept: from then on nobody
    comes in without.
    """
    session.exec(delete(Invitation).where(col(Invitation.person) == person))
    sessions.end_all(session, person)
    row = session.get(Account, person)
    if row is None or person == NOBODY:
        return
    if session.get(Account, NOBODY) is None:
        session.add(Account(person=NOBODY, scopes=[], created_at=0.0, ended_at=0.0))
    session.delete(row)
    session.flush()


def listed(session: Session) -> list[AccountInfo]:
    """Everybody who may, or might, sign in, by name."""
    rows = session.exec(
        select(Account).where(Account.person != NOBODY).order_by(col(Account.person))
    )
    return [_info(session, row) for row in rows]


def _end_invitations(session: Session, person: str) -> None:
    session.exec(
        delete(Invitation).where(
            col(Invitation.person) == person, col(Invitation.used_at).is_(None)
        )
    )


def _info(session: Session, row: Account) -> AccountInfo:
    at = now(session.connection())
    until = session.exec(
        select(Invitation.expires_at).where(
            Invitation.person == row.person,
            col(Invitation.used_at).is_(None),
            Invitation.expires_at > at,
        )
    ).first()
    return AccountInfo(
        person=row.person,
        scopes=tuple(row.scopes),
        has_password=row.password is not None,
        subject=row.subject,
        created_at=row.created_at,
        ended_at=row.ended_at,
        invited_until=until,
    )
