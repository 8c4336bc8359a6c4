"""GET /v1/audit: what operators asked for; and how it comes to be on record.

The row is written before the act, and its outcome after: what cannot be written down is not done.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from feedback.audit import Act, AuditInfo

from ..errors import KNOWN, REQUEST_ID, as_api_error, response_to
from ..operate.operators import Limit, listed, of
from ..serving import Serving
from . import access, callers
from .scopes import is_operation

router = APIRouter()


@router.get("/v1/audit")
def audit(request: Request, limit: Limit = 100) -> dict[str, Any]:
    """What operators asked for, newest first: who, what, when, of what, why, and the status that it
    came to."""
    return listed([shown(info) for info in of(request).store.audit(limit)])


def shown(info: AuditInfo) -> dict[str, Any]:
    return {
        "object": "audit.event",
        "id": info.id,
        "at": info.at,
        "actor": info.act.actor,
        "key": info.act.key_id,
        "act": info.act.act,
        "target": info.act.target,
        "reason": info.act.reason,
        "request_id": info.act.request_id,
        "outcome": info.outcome,
    }


class Audited:
    """Puts every request that changes what is more than one person's on record. Stands inside of
    what bounds bodies, since it reads them."""

    def __init__(self, app: ASGIApp, serving: Serving) -> None:
        self.app = app
        self.serving = serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_operation(scope.get(access.ROUTE)):
            await self.app(scope, receive, send)
            return
        try:
            said, replayed = await read_json(scope, receive)
            act = act_of(scope, said, self.serving)
            id = await run_in_threadpool(self.serving.store.begin_act, act)
        except KNOWN as refusal:
            await response_to(as_api_error(refusal))(scope, receive, send)
            return

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                await run_in_threadpool(self.serving.store.end_act, id, message["status"])
            await send(message)

        await self.app(scope, replayed, watched)


LONGEST = 2**20
"""Bytes of a body that is looked into. Reasons and names are short; what is longer is a file."""


async def read_json(scope: Scope, receive: Receive) -> tuple[dict[str, Any], Receive]:
    """A JSON body's fields, and the body to be read again; of any other body, and of one that is
    longer than LONGEST, none.
    """
    kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return {}, receive
    messages: list[Message] = []
    size, more = 0, True
    while more and size <= LONGEST:
        messages.append(await receive())
        size += len(messages[-1].get("body", b""))
        more = messages[-1].get("more_body", False)
    whole = b"" if more else b"".join(message.get("body", b"") for message in messages)

    async def again() -> Message:
        return messages.pop(0) if messages else await receive()

    return fields_of(whole), again


def fields_of(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def act_of(scope: Scope, said: dict[str, Any], serving: Serving) -> Act:
    """What is asked for. Of the body it keeps the reason, and whom the owner speaks for."""
    caller = callers.current()
    user = said.get("user")
    named = user if isinstance(user, str) and user else None
    reason = said.get("reason")
    return Act(
        actor=storable(caller.person or access.person(named, serving.key)),
        act=scope[access.ROUTE],
        target=scope["path"],
        reason=reason[:2000] if isinstance(reason, str) else None,
        key_id=caller.key_id,
        request_id=scope.get(REQUEST_ID),
    )


def storable(name: str) -> str:
    """A name that any database takes: the route itself refuses others."""
    return name[:256].replace("\0", "").encode(errors="replace").decode()
