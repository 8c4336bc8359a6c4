"""/v1/chat/completions and /v1/completions, as OpenAI's clients know them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse, Response

from ..doors import access
from ..errors import documented
from ..leaving import ClientGone, unless_gone
from ..serving import Serving
from . import ask
from .bodies import ChatRequest, TextRequest
from .generation import Generation
from .shapes import VERSION_HEADER, ChatChunks, completion
from .streaming import EventStream
from .text_shapes import TextChunks, text_completion


class WithRoom(APIRoute):
    """Looks for room before the body is read: a refusal is to cost next to nothing, since a server
    gives many of them when it has the least time."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_with_room(request: Request) -> Response:
            serving: Serving = request.app.state.serving
            serving.check_room()
            return await handle(request)

        return handle_with_room


router = APIRouter(route_class=WithRoom)


@router.post("/v1/chat/completions", responses=documented(404, 429))
async def chat(request: Request, body: ChatRequest) -> Response:
    """Answers a conversation, `n` times."""
    serving: Serving = request.app.state.serving
    body.check(serving.settings.server)
    asked = ask.of_chat(body, access.asker(body.user, serving.key))
    generation = Generation(serving, asked, whole=not body.stream)
    if body.stream:
        return EventStream(generation, lambda: ChatChunks(generation, body))
    return await answered(request, generation, lambda: completion(generation, body))


@router.post("/v1/completions", responses=documented(404, 429))
async def text(request: Request, body: TextRequest) -> Response:
    """Continues a text or token ids as they are, no chat template applied; nothing is learned from
    it."""
    serving: Serving = request.app.state.serving
    body.check(serving.settings.server)
    asked = ask.of_text(body, access.asker(body.user, serving.key))
    generation = Generation(serving, asked, whole=not body.stream)
    if body.stream:
        return EventStream(generation, lambda: TextChunks(generation, body))
    return await answered(request, generation, lambda: text_completion(generation, body))


async def answered(
    request: Request, generation: Generation, whole: Callable[[], dict[str, Any]]
) -> Response:
    """All answers at once, unless the client leaves before."""
    try:
        return await unless_gone(request.receive, finished(generation, whole))
    except ClientGone:
        return Response(status_code=499)


async def finished(generation: Generation, whole: Callable[[], dict[str, Any]]) -> Response:
    async with generation:
        async for _ in generation.pieces():
            pass
        await generation.store()
        return JSONResponse(whole(), headers={VERSION_HEADER: generation.version})
