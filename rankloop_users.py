"""The commands `rankloop users`: on the database itself, so that the first needs no server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from rankloop_settings import Settings, UserError

if TYPE_CHECKING:
    from feedback.accounts import AccountInfo
    from feedback.store import Store

ACTOR = "rankloop users"
"""Whose doing it is on record: who has the machine has no other name."""

FIRST_SCOPES = "chat,rank"
"""Of whoever is invited without a word on it."""

LIFETIME = re.compile(r"(\d{1,6})([mhd])")
SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0}

COLUMNS = {
    "person": "person",
    "comes in by": "id",
    "scopes": "scopes",
    "state": "state",
    "expires": "expires",
    "last used": "used",
}


def add(settings: Settings, name: str, scopes: str, expires: str | None) -> str:
    """A new key for a person: its text, which nobody can look up later. Raises UserError."""
    lifetime_s = None if expires is None else seconds_of(expires)
    with _store(settings) as store:
        return store.issue_key(name, _scopes(scopes), lifetime_s=lifetime_s, actor=ACTOR)[1]


def invite(settings: Settings, name: str, scopes: str | None, expires: str) -> str:
    """A link by which a person chooses a password, once. What opens stands behind the #, which no
    browser sends and so no server logs. Raises UserError.
    """
    chosen = None if scopes is None else _scopes(scopes)
    with _store(settings) as store:
        known = any(info.person == name for info, _ in store.accounts())
        if chosen is None and not known:
            chosen = _scopes(FIRST_SCOPES)
        good_for_s = seconds_of(expires)
        _, invitation = store.invite(name, chosen, lifetime_s=good_for_s, actor=ACTOR)
    told = urlencode({"name": name, "invitation": invitation})
    return f"{settings.page_url}/invitation#{told}"


def set_password(settings: Settings, name: str, password: str) -> None:
    """Another password for somebody who was invited, who is signed out. Raises UserError."""
    from feedback import passwords
    from feedback.errors import StoreError

    try:
        kept = passwords.hashed(password, name)
    except StoreError as error:
        raise UserError(str(error)) from None
    with _store(settings) as store:
        store.set_password(name, kept, actor=ACTOR)


def revoke(settings: Settings, whose: str) -> str:
    """End a key, or all of a person's and their signing in; what ended. Raises UserError."""
    with _store(settings) as store:
        ended = store.revoke(whose, actor=ACTOR)
    told = f"{len(ended.keys)} keys revoked"
    return f"{told}; {whose} signs in no longer" if ended.signed_in else told


def listed(settings: Settings) -> list[dict[str, Any]]:
    """Everybody who signs in, and every key, as a row of COLUMNS. Raises UserError."""
    with _store(settings) as store:
        accounts, keys = store.accounts(), store.issued_keys()
    rows = [_account(info, seen) for info, seen in accounts]
    rows += [
        {
            "person": info.person,
            "id": f"key {info.id}",
            "scopes": ", ".join(info.scopes),
            "state": _state(info.revoked_at, info.ended),
            "expires": _day(info.expires_at),
            "used": _day(info.last_used_at),
        }
        for info in keys
    ]
    return sorted(rows, key=lambda row: str(row["person"]))


def _account(info: AccountInfo, seen: float | None) -> dict[str, Any]:
    ways = ["password"] if info.has_password else []
    ways += ["OpenID"] if info.subject else []
    ways += ["invitation"] if info.invited_until else []
    return {
        "person": info.person,
        "id": ", ".join(ways),
        "scopes": ", ".join(info.scopes),
        "state": _state(info.ended_at, not ways),
        "expires": _day(info.invited_until),
        "used": _day(seen),
    }


def _scopes(text: str) -> list[str]:
    return [scope.strip() for scope in text.split(",") if scope.strip()]


def anybody(settings: Settings) -> bool:
    """Whether somebody has a key or was invited, so that doors may be opened. Raises UserError."""
    if settings.server.oidc.issuer is not None:
        return True
    if settings.database.url is None and not (settings.data / "rankloop.db").exists():
        return False
    with _store(settings) as store:
        return store.any_key()


def seconds_of(lifetime: str) -> float:
    """`90d` -> 7776000; raises UserError."""
    form = LIFETIME.fullmatch(lifetime)
    if form is None or not int(form[1]):
        raise UserError(f"--expires {lifetime!r}: write 30m, 12h or 90d")
    return int(form[1]) * SECONDS[form[2]]


def _state(revoked_at: float | None, ended: bool) -> str:
    if revoked_at is not None:
        return f"revoked {_day(revoked_at)}"
    return "expired" if ended else "good"


def _day(at: float | None) -> str | None:
    return None if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    from feedback.errors import StoreError
    from feedback.store import Store

    try:
        store = Store.open(settings.database.resolve(settings.data))
        try:
            yield store
        finally:
            store.close()
    except (StoreError, OSError) as error:
        raise UserError(str(error)) from None
