"""Every request has an id: in its answer's header, in the audit, and in the log lines about it."""

from __future__ import annotations

import re
from contextvars import ContextVar
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import REQUEST_ID

FORM = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
CURRENT: ContextVar[str | None] = ContextVar("request_id", default=None)


def current() -> str | None:
    """Of the request that is being answered; None where it is nobody's."""
    return CURRENT.get()


class RequestIds:
    """Gives every request an id, unless it brings one that can stand in a log line, and every
    answer the header that says it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        brought = Headers(scope=scope).get(REQUEST_ID, "")
        scope[REQUEST_ID] = brought if FORM.fullmatch(brought) else f"req_{uuid4().hex}"
        # Left set: what the request ends with is logged outside, in the same task, which ends too.
        CURRENT.set(scope[REQUEST_ID])

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID] = scope[REQUEST_ID]
            await send(message)

        await self.app(scope, receive, with_id)
