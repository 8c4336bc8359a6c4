"""Who makes the request that is being answered. Set by the access check, read wherever a person's
name or an id is about to count.

A variable of the context, as the request's own threads and tasks inherit it: so a route that asks
for the person cannot forget whose key it was.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from ..errors import ApiError

LOCAL_PERSON, KEY_PERSON = "local", "key"


@dataclass(frozen=True)
class Caller:
    """The owner, who may do all and speak for anybody, or one person, by a key of their own or a
    session: then its id stands in both, and `way` is how they signed in."""

    person: str | None = None
    scopes: frozenset[str] = frozenset()
    key_id: str | None = None
    session: str | None = None
    way: str | None = None

    @property
    def is_owner(self) -> bool:
        """Has the machine, where nobody needs a key, or the one key of the settings."""
        return self.person is None

    def has(self, *scopes: str) -> bool:
        """Whether it has any of these."""
        return self.is_owner or not self.scopes.isdisjoint(scopes)


OWNER = Caller()
NOBODY = Caller(person="")
"""Asks how to sign in, or does so."""
CURRENT: ContextVar[Caller] = ContextVar("caller", default=OWNER)


def current() -> Caller:
    return CURRENT.get()


def speaking_as(user: str | None) -> str | None:
    """The person of the caller's own key, who may name nobody else; None for the owner. Raises
    ApiError."""
    person = current().person
    if person is not None and user not in (None, person):
        message = "Your key speaks for you alone: leave 'user' out, or give your own name."
        raise ApiError(403, message, param="user", code="not_your_name")
    return person
