"""/v1/me: what is on record of a person, and what they decide about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from feedback.consents import TEXT_VERSION, ConsentInfo
from feedback.exchange.formats import OWN

from ..doors import access
from ..serving import Serving
from ..wire import ConsentRequest, Name
from .exchange import EXPORTED, streamed

router = APIRouter()

User = Annotated[Name | None, Query()]


@router.get("/v1/me/export", response_class=StreamingResponse, responses=EXPORTED)
def export(request: Request, user: User = None) -> StreamingResponse:
    """Streams all that the person asked, was answered and said, in our own format."""
    serving: Serving = request.app.state.serving
    person = access.person(user, serving.key)
    return streamed(serving.store.export(OWN, person), "mine.jsonl")


@router.get("/v1/me/consent")
def consent(request: Request, user: User = None) -> dict[str, Any]:
    """The person's word on being learned from, and the text that they are asked by. Without a key
    silence is a yes."""
    serving: Serving = request.app.state.serving
    return told(serving.store.consent(access.person(user, serving.key)))


@router.put("/v1/me/consent")
def say_consent(request: Request, body: ConsentRequest) -> dict[str, Any]:
    """Gives consent to the text of that version, or withdraws it: then nothing of the person's is
    learned from any longer."""
    serving: Serving = request.app.state.serving
    person = access.person(body.user, serving.key)
    version = body.version or TEXT_VERSION
    return told(serving.store.say_consent(person, given=body.given, version=version))


def told(info: ConsentInfo) -> dict[str, Any]:
    return {"object": "consent", **asdict(info)}


@router.delete("/v1/me")
def erase(request: Request, user: User = None) -> dict[str, Any]:
    """Empties all that the person asked, was answered and said; no later round learns from it. The
    rounds that had used any of it, and the versions that came of them, are told."""
    serving: Serving = request.app.state.serving
    erased = serving.store.erase(access.person(user, serving.key))
    return {"object": "erased", **asdict(erased)}
