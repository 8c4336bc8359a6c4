"""Who may speak to the server, as whom, and how much at a time.

While nobody has a key it answers on loopback only, to names that mean loopback, so that no web page
can reach it by rebinding its own name. Else every route but the health checks and those to sign in
by wants a key or a session as a bearer token, and of a person's own the scope that it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import SecretStr
from sqlalchemy.exc import OperationalError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import ApiError, as_api_error, response_to
from . import callers
from .callers import KEY_PERSON, LOCAL_PERSON
from .hosts import is_loopback
from .keyring import Keyring
from .scopes import OPEN_ROUTES, SIGN_IN_ROUTES, check_scope, route_of

ROUTE = "rankloop.route"
"""In a request's scope: method and template of the route that answers it, None for none."""
MAX_BODY = 2**20
LARGE_BODIES = {"/v1/import": 2**28}
"""Of routes that let go of a body as it comes: 256 MiB. The command has no bound."""
JSON_LINES = frozenset({"application/jsonl", "application/x-ndjson", "application/octet-stream"})
"""Content types of a body that is JSON line by line; which routes take one is theirs to say."""


class NeedsKey(SystemExit):
    """The address can be reached by others and no key is set. Its text is the line to type."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} can be reached by other machines, so it needs a key. Type:\n"
            f"RANKLOOP_KEY=$(openssl rand -hex 24) rankloop server --host {host}\n"
            "or give somebody a key first: rankloop users add NAME"
        )


def usable(key: SecretStr | None) -> SecretStr | None:
    """A blank key would let everybody in: it is none."""
    return key if key is not None and key.get_secret_value().strip() else None


def check_binding(
    host: str, key: SecretStr | None, anybody: Callable[[], bool] = lambda: False
) -> None:
    """Raises NeedsKey if others could come in without one. `anybody`: has somebody a key of their
    own?"""
    if usable(key) is None and not is_loopback(host) and not anybody():
        raise NeedsKey(host)


class Access:
    """Lets a request through, as its caller's, or answers it with 401 or 403. Whom feedback counts
    for is `person`. `routes`: all there are, in the order in which they are tried."""

    def __init__(self, app: ASGIApp, keyring: Keyring, routes: Sequence[BaseRoute]) -> None:
        self.app = app
        self.keyring = keyring
        self.routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            caller = await self._caller(scope)
        except (ApiError, OperationalError) as refusal:
            await response_to(as_api_error(refusal))(scope, receive, send)
            return
        token = callers.CURRENT.set(caller)
        try:
            await self.app(scope, receive, send)
        finally:
            callers.CURRENT.reset(token)

    async def _caller(self, scope: Scope) -> callers.Caller:
        headers, scope[ROUTE] = Headers(scope=scope), route_of(scope, self.routes)
        if scope["path"] in OPEN_ROUTES and self.keyring.is_closed:
            return callers.OWNER
        if scope[ROUTE] in SIGN_IN_ROUTES:
            return await self.keyring.stranger(headers)
        caller = await self.keyring.caller(headers)
        check_scope(caller, scope[ROUTE])
        return caller


def person(user: str | None, key: SecretStr | None) -> str:
    """Whom an answer or a ranking belongs to: the one whose key it is; for the owner OpenAI's
    `user`, else the one who has the machine or the key. Raises ApiError for somebody else's name.
    """
    own = callers.speaking_as(user)
    if own is not None:
        return own
    if user is not None:
        return user
    return LOCAL_PERSON if key is None else KEY_PERSON


def asker(user: str | None, key: SecretStr | None) -> str:
    """The same for a request for answers: clients put what they like into OpenAI's `user`, so that
    of a person's own key it counts for nothing."""
    return callers.current().person or person(user, key)


class Bodies:
    """Refuses a body that does not say it is JSON, and one that is too large, mostly above 1 MiB:
    by its announced length, else as soon as so much has come."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = LARGE_BODIES.get(scope["path"], MAX_BODY)
        refusal = refused_body(Headers(scope=scope), scope["path"])
        if refusal is not None:
            await response_to(as_api_error(refusal))(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise HTTPException(413, str(limit >> 20))
            return message

        await self.app(scope, counted, send)


def refused_body(headers: Headers, path: str) -> HTTPException | None:
    """What its headers alone say against a body. JSON lines are taken where much is."""
    limit = LARGE_BODIES.get(path, MAX_BODY)
    length = headers.get("content-length", "0")
    if int(length if length.isdecimal() else 0) > limit:
        return HTTPException(413, str(limit >> 20))
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    has_body = length != "0" or "transfer-encoding" in headers
    known = kind == "application/json" or kind.endswith("+json") or kind in JSON_LINES
    if has_body and not known:
        return HTTPException(415, kind)
    return None
