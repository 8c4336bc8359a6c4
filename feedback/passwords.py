"""Passwords as argon2id makes them unreadable. Knows no rows.

The figures are the library's, RFC 9106's for little memory: 64 MiB and some 50 ms for each look, so
callers see to it that few are under way at a time, and none inside a transaction.
"""

from __future__ import annotations

import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from .errors import InvalidPassword

SHORTEST, LONGEST = 10, 256
"""Characters. Length is what counts: no rule asks for digits or capitals."""

HASHER = PasswordHasher()


def hashed(password: str, person: str = "") -> str:
    """What is kept of a new password; raises InvalidPassword. Slow."""
    if not SHORTEST <= len(password) <= LONGEST:
        told = f"a password has {SHORTEST} to {LONGEST} characters, not {len(password)}"
        raise InvalidPassword(told, param="password")
    if person and password.casefold() == person.casefold():
        raise InvalidPassword("a password is not the name that it goes with", param="password")
    if len(set(password)) < 3:
        raise InvalidPassword("a password has more than two different characters", param="password")
    return HASHER.hash(_normal(password))


def fits(kept: str | None, password: str) -> bool:
    """Whether it is the password. Where none is kept it takes as long and is not. Slow."""
    try:
        HASHER.verify(kept if kept is not None else _nobodys(), _normal(password))
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def is_old(kept: str) -> bool:
    """Whether it was made with other figures than those of now."""
    return HASHER.check_needs_rehash(kept)


@cache
def _nobodys() -> str:
    return HASHER.hash("nobody's")


def _normal(password: str) -> bytes:
    """One spelling of what may be typed in several: an accent on a letter, or after it."""
    return unicodedata.normalize("NFKC", password).encode(errors="surrogatepass")
