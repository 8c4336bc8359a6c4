"""Keys of people: `rl_<id>_<secret>`, shown once and kept as a digest.

What a key may do are its scopes; which route needs which is the server's to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from . import tokens
from .database import now
from .errors import StoreError, UnknownKey
from .tables import Account, ApiKey

SCOPES = ("chat", "rank", "read", "operate", "admin")
"""Ask; say what one thinks of answers; see what others did; steer learning; people and files."""

KIND = "rl"
FORM = tokens.form(KIND)
USE_NOTED_EVERY_S = 60.0


@dataclass(frozen=True)
class KeyInfo:
    """A key without its secret. `ended`: it has expired or was revoked."""

    id: str
    person: str
    scopes: tuple[str, ...]
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None
    ended: bool


def issue(
    session: Session, person: str, scopes: Sequence[str], lifetime_s: float | None
) -> tuple[KeyInfo, str]:
    """A new key for a person, and the only copy of its text. Raises StoreError."""
    chosen = in_order(scopes)
    if lifetime_s is not None and not lifetime_s > 0:
        raise StoreError("a key lasts longer than no time", param="expires", value=lifetime_s)
    at = now(session.connection())
    id, key = tokens.new(KIND)
    row = ApiKey(
        id=id,
        person=person,
        digest=tokens.digest_of(key),
        scopes=chosen,
        created_at=at,
        expires_at=None if lifetime_s is None else at + lifetime_s,
    )
    session.add(row)
    session.flush()
    return _info(row, at), key


def in_order(scopes: Sequence[str]) -> list[str]:
    """Each scope once, in the order of SCOPES; raises StoreError for one that is none."""
    for scope in scopes:
        if scope not in SCOPES:
            message = f"a scope is one of {', '.join(SCOPES)}, not {scope!r}"
            raise StoreError(message, param="scopes", value=scope)
    if not scopes:
        raise StoreError("whoever has no scope may do nothing", param="scopes", value=[])
    return [scope for scope in SCOPES if scope in scopes]


def holder(session: Session, key: str) -> KeyInfo | None:
    """The key of this text, if it is good now; how long that takes tells nothing of the secret."""
    form = FORM.fullmatch(key)
    row = None if form is None else session.get(ApiKey, form[1])
    if row is None or not tokens.fits(row.digest, key):
        return None
    info = _info(row, now(session.connection()))
    return None if info.ended else info


def use_is_news(session: Session, info: KeyInfo) -> bool:
    """Whether the last use on record is so long ago that this one is worth writing down."""
    at = now(session.connection())
    return info.last_used_at is None or at - info.last_used_at > USE_NOTED_EVERY_S


def note_use(session: Session, id: str) -> None:
    """It was used just now."""
    session.get_one(ApiKey, id).last_used_at = now(session.connection())


def revoke(session: Session, whose: str) -> list[KeyInfo]:
    """End the key of this id, or all of the person of this name; those that were good. Raises
    UnknownKey if there is neither, nor anybody of this name who may sign in.
    """
    chosen = (col(ApiKey.id) == whose) | (col(ApiKey.person) == whose)
    rows = session.exec(select(ApiKey).where(chosen)).all()
    if not rows and session.get(Account, whose) is None:
        raise UnknownKey(f"there is no key, and nobody with one, called {whose!r}", value=whose)
    at = now(session.connection())
    good = [row for row in rows if not _info(row, at).ended]
    for row in good:
        row.revoked_at = at
    return [_info(row, at) for row in good]


def listed(session: Session) -> list[KeyInfo]:
    """Every key there ever was, by person, oldest first."""
    at = now(session.connection())
    rows = session.exec(select(ApiKey).order_by(col(ApiKey.person), col(ApiKey.created_at)))
    return [_info(row, at) for row in rows]


def any_issued(session: Session) -> bool:
    """Whether anybody was ever given a key, or invited: from then on nobody comes in without."""
    return any(
        session.exec(select(of).limit(1)).first() is not None for of in (ApiKey.id, Account.person)
    )


def _info(row: ApiKey, at: float) -> KeyInfo:
    expired = row.expires_at is not None and row.expires_at <= at
    return KeyInfo(
        id=row.id,
        person=row.person,
        scopes=tuple(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        ended=expired or row.revoked_at is not None,
    )
