"""POST /v1/battles: two versions answer one prompt, and nobody is told which answer is whose."""

from __future__ import annotations

import asyncio
from random import SystemRandom

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from feedback.labelling import PromptSource

from ..answers.ask import aside, derived_conversation, turns
from ..answers.bodies import ChatMessage
from ..answers.generation import Generation
from ..doors import access
from ..errors import ApiError, documented, refused
from ..leaving import ClientGone, unless_gone
from ..serving import MODEL, Serving
from ..wire import MAX_MESSAGES, Name, Wire

router = APIRouter()


class BattleRequest(Wire):
    """The body of POST /v1/battles. Without messages a prompt is drawn from those that were
    imported or that people asked."""

    versions: list[Name] = Field(min_length=2, max_length=2)
    messages: list[ChatMessage] | None = Field(None, min_length=1, max_length=MAX_MESSAGES)
    max_tokens: int | None = Field(None, ge=1)
    user: Name | None = None


@router.post("/v1/battles", responses=documented(404, 429))
async def battle(request: Request, body: BattleRequest) -> Response:
    """Answers a prompt once by each of two versions, in an order that says nothing; a ranking of
    the two counts in the comparison of versions."""
    serving: Serving = request.app.state.serving
    if body.versions[0] == body.versions[1]:
        raise refused("versions", body.versions, "names one version twice")
    longest = serving.settings.server.max_tokens
    if body.max_tokens is not None and body.max_tokens > longest:
        raise refused("max_tokens", body.max_tokens, f"is above the bound of {longest}")
    person = access.person(body.user, serving.key)
    try:
        return await unless_gone(request.receive, fought(serving, body, person))
    except ClientGone:
        return Response(status_code=499)


async def fought(serving: Serving, body: BattleRequest, person: str) -> Response:
    source = await prompt_of(serving, body, person)
    serving.admit(person)
    try:
        answers = await asyncio.gather(
            *(answered(serving, body, source, version) for version in body.versions)
        )
        ids = [answer["id"] for answer in answers]
        await run_in_threadpool(serving.store.show_answers, person, ids)
    finally:
        serving.leave(person)
    SystemRandom().shuffle(answers)
    messages = [{"role": role, "content": content} for role, content in source.messages]
    return JSONResponse({"object": "battle", "messages": messages, "answers": answers})


async def prompt_of(serving: Serving, body: BattleRequest, person: str) -> PromptSource:
    """What was typed, as this person's; or one that is drawn, as whosever it is."""
    if body.messages:
        messages = turns(body.messages)
        conversation = derived_conversation(person, messages)
        return PromptSource("", messages, person, conversation, None)
    source = await run_in_threadpool(serving.store.draw_prompt, SystemRandom())
    if source is None:
        message = "Nobody has asked or imported anything yet: type a prompt."
        raise ApiError(404, message, param="messages", code="not_found")
    return source


async def answered(
    serving: Serving, body: BattleRequest, source: PromptSource, version: str
) -> dict[str, str]:
    """One version's answer, on record."""
    ask = aside(source, f"{MODEL}@{version}", n=1, max_tokens=body.max_tokens)
    async with Generation(serving, ask, aside=True) as generation:
        async for _ in generation.pieces():
            pass
        await generation.store()
        return {"id": generation.candidate_ids[0], "text": generation.choices[0].text}
