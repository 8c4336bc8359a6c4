"""/v1/chat/completions and /v1/completions, as OpenAI's clients know them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from policy.params import SamplingParams

from . import access
from .asked import ChatMessage, ChatRequest, Sampled, TextRequest
from .generation import Ask, Generation, Prompt, derived_conversation
from .leaving import ClientGone, unless_gone
from .serving import Serving
from .shapes import VERSION_HEADER, ChatChunks, Chunks, completion
from .streaming import EventStream
from .text_shapes import TextChunks, text_completion

router = APIRouter()

# OpenAI takes a nucleus of nothing for the most likely token alone; the sampler wants more than 0.
LEAST_TOP_P = 1e-6
# Below it float32 logits overflow; what is so cold is as good as greedy long before.
LEAST_TEMPERATURE = 1e-3


@router.post("/v1/chat/completions")
async def chat(request: Request, body: ChatRequest) -> Response:
    """Answers a conversation, `n` times."""
    serving: Serving = request.app.state.serving
    body.check(serving.settings.server)
    generation = Generation(serving, chat_ask(body, serving))
    return await answered(
        request,
        generation,
        body,
        whole=lambda: completion(generation, body),
        chunks=lambda: ChatChunks(generation, body),
    )


@router.post("/v1/completions")
async def text(request: Request, body: TextRequest) -> Response:
    """Continues a text or token ids as they are, no chat template applied; nothing is learned from
    it."""
    serving: Serving = request.app.state.serving
    body.check(serving.settings.server)
    generation = Generation(serving, text_ask(body, serving))
    return await answered(
        request,
        generation,
        body,
        whole=lambda: text_completion(generation, body),
        chunks=lambda: TextChunks(generation, body),
    )


async def answered(
    request: Request,
    generation: Generation,
    body: Sampled,
    *,
    whole: Callable[[], dict[str, Any]],
    chunks: Callable[[], Chunks],
) -> Response:
    """All answers at once, or as they are written."""
    if body.stream:
        return EventStream(generation, chunks)
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


def chat_ask(body: ChatRequest, serving: Serving) -> Ask:
    """The body with its defaults filled in."""
    messages = turns(body.messages)
    person = access.person(body.user, serving.key)
    conversation = (body.metadata or {}).get("conversation_id")
    return Ask(
        id=f"chatcmpl-{uuid4().hex}",
        model=body.model,
        prompts=(Prompt(messages=messages),),
        n=body.choices,
        max_tokens=body.longest,
        sampling=sampling_of(body),
        stops=body.stops,
        stop_ids=frozenset(body.stop_token_ids or ()),
        ignore_eos=bool(body.ignore_eos),
        person=person,
        # OpenAI's `store: false` says that the answer is not to be used; it is kept but never
        # learned from.
        consented=body.store is not False,
        conversation_id=conversation or derived_conversation(person, messages),
    )


def turns(messages: list[ChatMessage]) -> tuple[tuple[str, str], ...]:
    """The messages in the three roles that chat templates know: a developer speaks as the system,
    and what a tool found is told by the user."""
    roles = {"developer": "system", "tool": "user"}
    return tuple((roles.get(turn.role, turn.role), turn.content or "") for turn in messages)


def text_ask(body: TextRequest, serving: Serving) -> Ask:
    """The body with its defaults filled in. What is no chat is on record, and never learned
    from."""
    id = f"cmpl-{uuid4().hex}"
    prompts = tuple(
        Prompt(text=prompt) if isinstance(prompt, str) else Prompt(ids=tuple(prompt))
        for prompt in body.prompts
    )
    return Ask(
        id=id,
        model=body.model,
        prompts=prompts,
        n=body.choices,
        max_tokens=body.longest,
        sampling=sampling_of(body),
        stops=body.stops,
        stop_ids=frozenset(body.stop_token_ids or ()),
        ignore_eos=bool(body.ignore_eos),
        person=access.person(body.user, serving.key),
        consented=False,
        conversation_id=(body.metadata or {}).get("conversation_id") or id,
        prompt_logprobs=body.top if body.scores_prompt else None,
    )


def sampling_of(body: ChatRequest | TextRequest) -> SamplingParams:
    """How the tokens are drawn; nulls are what leaves the distribution as it is. A seed is drawn if
    none is given, so that every answer has one."""
    given: dict[str, Any] = {
        "temperature": body.temperature and max(body.temperature, LEAST_TEMPERATURE),
        "top_p": None if body.top_p is None else max(body.top_p, LEAST_TOP_P),
        "top_k": None if body.top_k == -1 else body.top_k,
        "min_p": body.min_p,
        "presence_penalty": body.presence_penalty,
        "frequency_penalty": body.frequency_penalty,
        "repetition_penalty": body.repetition_penalty,
        "logit_bias": body.biases,
        "min_tokens": body.min_tokens,
        "top_logprobs": body.top,
        "seed": secrets.randbits(53) if body.seed is None else body.seed,
    }
    return SamplingParams(**{name: value for name, value in given.items() if value is not None})
