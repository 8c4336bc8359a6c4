"""/v1/me: what is on record of a person, and what they decide about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from feedback.exchange.formats import OWN

from . import access
from .exchange import EXPORTED, streamed
from .serving import Serving
from .wire import Name

router = APIRouter()

User = Annotated[Name | None, Query()]


@router.get("/v1/me/export", response_class=StreamingResponse, responses=EXPORTED)
def export(request: Request, user: User = None) -> StreamingResponse:
    """Streams all that the person asked, was answered and said, in our own format."""
    serving: Serving = request.app.state.serving
    person = access.person(user, serving.key)
    return streamed(serving.store.export(OWN, person), "mine.jsonl")


@router.delete("/v1/me")
def erase(request: Request, user: User = None) -> dict[str, Any]:
    """Empties all that the person asked, was answered and said; no later round learns from it. The
    rounds that had used any of it, and the versions that came of them, are told."""
    serving: Serving = request.app.state.serving
    erased = serving.store.erase(access.person(user, serving.key))
    return {"object": "erased", **asdict(erased)}
