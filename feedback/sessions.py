"""Sessions: `rs_<id>_<secret>`, given to whoever signs in, good for some days or until they sign
out. What a session opens is what its person's account says at the moment.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, delete, select

from . import tokens
from .database import now
from .keys import SCOPES, USE_NOTED_EVERY_S
from .tables import Account, SignIn

KIND = "rs"
FORM = tokens.form(KIND)


@dataclass(frozen=True)
class SessionInfo:
    """A session without its secret. `person` None is the owner; `way` how they signed in."""

    id: str
    person: str | None
    scopes: tuple[str, ...]
    way: str
    expires_at: float
    last_used_at: float


def begin(
    session: Session, person: str | None, way: str, lifetime_s: float, binding: str = ""
) -> tuple[SessionInfo, str]:
    """A new session, and the only copy of its text. The owner's ends with the key that it is bound
    to. Sessions that have expired are forgotten.
    """
    assert (person is None) == bool(binding), "the owner's session, and no other, is bound"
    at = now(session.connection())
    session.exec(delete(SignIn).where(col(SignIn.expires_at) <= at))
    id, text = tokens.new(KIND)
    row = SignIn(
        id=id,
        person=person,
        digest=tokens.digest_of(text, binding),
        way=way,
        created_at=at,
        expires_at=at + lifetime_s,
        last_used_at=at,
    )
    session.add(row)
    session.flush()
    return _info(row, _scopes(session, person)), text


def holder(session: Session, text: str, binding: str) -> SessionInfo | None:
    """The session of this text, if it is good now; `binding` is the owner's key."""
    form = FORM.fullmatch(text)
    row = None if form is None else session.get(SignIn, form[1])
    if row is None or row.expires_at <= now(session.connection()):
        return None
    if not tokens.fits(row.digest, text, binding if row.person is None else ""):
        return None
    scopes = _scopes(session, row.person)
    return _info(row, scopes) if scopes else None


def _scopes(session: Session, person: str | None) -> tuple[str, ...]:
    if person is None:
        return SCOPES
    account = session.get(Account, person)
    return () if account is None or account.ended_at is not None else tuple(account.scopes)


def use_is_news(session: Session, info: SessionInfo) -> bool:
    """Whether the last use on record is so long ago that this one is worth writing down."""
    return now(session.connection()) - info.last_used_at > USE_NOTED_EVERY_S


def note_use(session: Session, id: str) -> None:
    """It was used just now; it may have ended since."""
    row = session.get(SignIn, id)
    if row is not None:
        row.last_used_at = now(session.connection())


def end(session: Session, id: str) -> None:
    """Sign out."""
    session.exec(delete(SignIn).where(col(SignIn.id) == id))


def end_all(session: Session, person: str) -> int:
    """Sign a person out wherever they are; how many sessions those were."""
    done = session.exec(delete(SignIn).where(col(SignIn.person) == person))
    return int(done.rowcount)


def last_uses(session: Session) -> dict[str, float]:
    """When each person who is signed in was last seen, by name."""
    rows = session.exec(select(SignIn).where(col(SignIn.person).is_not(None)))
    found: dict[str, float] = {}
    for row in rows:
        assert row.person is not None
        found[row.person] = max(found.get(row.person, 0.0), row.last_used_at)
    return found


def _info(row: SignIn, scopes: tuple[str, ...]) -> SessionInfo:
    return SessionInfo(row.id, row.person, scopes, row.way, row.expires_at, row.last_used_at)
