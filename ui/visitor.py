"""Who looks at the page, and so for whom the API is called.

The gate puts it into the request (`gate.py`); whatever answers a request, or an event that came
with one and waited in Gradio's queue, finds it here. Nobody found is nobody: the API is then called
without a key, and answers accordingly.
"""

from __future__ import annotations

import hashlib
from contextvars import ContextVar
from dataclasses import dataclass

SCOPE = "rankloop.visitor"
"""In an ASGI scope."""


@dataclass(frozen=True)
class Visitor:
    """Somebody who signed in, by the session `token`; without one whoever has the machine, where
    nobody needs to."""

    person: str = "local"
    owner: bool = True
    scopes: frozenset[str] = frozenset()
    token: str | None = None
    way: str | None = None

    @property
    def is_signed_in(self) -> bool:
        return self.token is not None

    @property
    def mark(self) -> str:
        """Tells one person's browser storage from another's; says nothing else of them."""
        if not self.is_signed_in:
            return ""
        return hashlib.sha256(f"{self.owner}\0{self.person}".encode()).hexdigest()[:16]

    def may(self, *scopes: str) -> bool:
        """Whether the API lets them do what needs any of these."""
        return self.owner or not self.scopes.isdisjoint(scopes)


LOCAL = Visitor()
NOBODY = Visitor(person="", owner=False)
CURRENT: ContextVar[Visitor | None] = ContextVar("visitor", default=None)


def current() -> Visitor:
    """Who is looked after at the moment."""
    known = CURRENT.get()
    if known is not None:
        return known
    from gradio.context import LocalContext

    waiting = LocalContext.request.get(None)
    request = getattr(waiting, "request", None)
    found = None if request is None else request.scope.get(SCOPE)
    return found if isinstance(found, Visitor) else NOBODY
