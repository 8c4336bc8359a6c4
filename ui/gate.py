"""Who may reach the page: nobody who has not signed in, where the server says that one has to; else
whoever sits at this machine. And no other site's page in their browser, either way.

Plain ASGI, so that event streams pass through untouched.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui import cookies, visitor
from ui.doors import is_own
from ui.sign_in_client import SignInClient
from ui.visitor import LOCAL, NOBODY, Visitor

OPEN = frozenset(
    {
        "/livez",
        "/sign-in",
        "/sign-in/look.css",
        "/sign-in/invitation.js",
        "/sign-in/state",
        "/sign-in/openid",
        "/sign-in/openid/back",
        "/invitation",
    }
)
"""Answered to whoever has not signed in; spelled exactly so."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
ELSEWHERE = (
    "This was asked from {origin}, which is not where this page is. "
    "Behind a proxy set ui.public_url to the address that people open."
)
CLOSED = "Without a key this page answers to localhost only, and to itself."


class Gate:
    """Puts the visitor into the request, or answers it. `is_local`: whether only this machine
    reaches the page's address."""

    def __init__(
        self, app: ASGIApp, *, sessions: SignInClient, is_local: bool, public_url: str | None
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._is_local = is_local
        self._public = urlsplit(public_url or "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        if Headers(scope=scope).get("host") == self._public.netloc:
            scope["scheme"] = self._public.scheme  # whatever a proxy in front says, or does not
        found = await self._visitor(HTTPConnection(scope))
        if isinstance(found, Response):
            await found(scope, receive, send)
            return
        scope[visitor.SCOPE] = found
        token = visitor.CURRENT.set(found)
        try:
            await self._app(scope, receive, _marked(send, found) if scope["path"] == "/" else send)
        finally:
            visitor.CURRENT.reset(token)

    async def _visitor(self, connection: HTTPConnection) -> Visitor | Response:
        """Who it is, or what they are told instead."""
        headers, path = connection.headers, connection.scope["path"]
        if not (await self._sessions.ways()).needed:
            if self._is_local and is_own(headers):
                return LOCAL
            return PlainTextResponse(CLOSED, 403)
        if not self._comes_from_here(connection):
            origin = headers.get("origin", "nowhere")
            return PlainTextResponse(ELSEWHERE.format(origin=origin[:200]), 403)
        found = await self._sessions.visitor(cookies.token_of(connection))
        if found is not None:
            return found
        if path in OPEN:
            return NOBODY
        if path == "/" and connection.scope["method"] in SAFE:
            return RedirectResponse("/sign-in", 303)
        return PlainTextResponse("Sign in first.", 401)

    def _comes_from_here(self, connection: HTTPConnection) -> bool:
        """Whatever changes something names the page's own address as its origin; what only reads is
        no part of another site's page, though a link there may lead here."""
        headers = connection.headers
        site = headers.get("sec-fetch-site", "none")
        if connection.scope["method"] in SAFE:
            return site != "cross-site" or headers.get("sec-fetch-mode") == "navigate"
        origin = urlsplit(headers.get("origin", ""))
        if cookies.is_https(connection) and origin.scheme != "https":
            return False
        ours = {headers.get("host"), self._public.netloc} - {None, ""}
        return origin.netloc in ours and site in ("same-origin", "none")


def _marked(send: Send, found: Visitor) -> Send:
    """The page itself also says whose it is, and is kept by nothing on the way."""

    async def send_marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.append("set-cookie", cookies.whose(found))
            headers["cache-control"] = "no-store"
        await send(message)

    return send_marked
