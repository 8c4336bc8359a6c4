"""/v1/chat/completions and /v1/models, as OpenAI's clients know them."""

from __future__ import annotations

import secrets
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from policy.params import SamplingParams

from . import access
from .errors import ApiError
from .generation import Ask, Generation, derived_conversation
from .leaving import ClientGone, unless_gone
from .serving import MODEL, Serving, version_named
from .shapes import VERSION_HEADER, completion
from .streaming import EventStream
from .wire import ChatRequest

router = APIRouter()

# OpenAI takes a nucleus of nothing for the most likely token alone; the sampler wants more than 0.
LEAST_TOP_P = 1e-6
# Below it float32 logits overflow; what is so cold is as good as greedy long before.
LEAST_TEMPERATURE = 1e-3


@router.post("/v1/chat/completions")
async def create(request: Request, body: ChatRequest) -> Response:
    """Answers a conversation, `n` times."""
    serving: Serving = request.app.state.serving
    body.check(serving.settings.server)
    generation = Generation(serving, ask_of(body, serving))
    if body.stream:
        return EventStream(generation, body)
    try:
        return await unless_gone(request.receive, whole(generation, body))
    except ClientGone:
        return Response(status_code=499)


@router.get("/v1/models")
def models(request: Request) -> dict[str, Any]:
    """The live version as `rankloop`, and every version in memory by its own name."""
    serving: Serving = request.app.state.serving
    return {"object": "list", "data": [model_card(name, at) for name, at in names(serving)]}


@router.get("/v1/models/{name}")
def model(request: Request, name: str) -> dict[str, Any]:
    """One of the names above."""
    version_named(name)
    for known, created in names(request.app.state.serving):
        if known == name:
            return model_card(known, created)
    message = f"The model `{name}` is not in memory."
    raise ApiError(404, message, param="model", code="model_not_found")


def names(serving: Serving) -> list[tuple[str, float]]:
    """Model names, each with the time of its version's birth."""
    resident = serving.residence.ids
    created = {info.id: info.created_at for info in serving.store.versions()}
    live = serving.store.live()
    return [
        (MODEL, created[live.version]),
        *((f"{MODEL}@{id}", at) for id, at in created.items() if id in resident),
    ]


def model_card(name: str, created_at: float) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": int(created_at), "owned_by": MODEL}


def ask_of(body: ChatRequest, serving: Serving) -> Ask:
    """The body with its defaults filled in. A seed is drawn if none is given, so that every answer
    has one."""
    messages = tuple(
        ("system" if message.role == "developer" else message.role, message.content)
        for message in body.messages
    )
    person = access.person(body.user, serving.key)
    conversation = (body.metadata or {}).get("conversation_id")
    return Ask(
        id=f"chatcmpl-{uuid4().hex}",
        model=body.model,
        messages=messages,
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


def sampling_of(body: ChatRequest) -> SamplingParams:
    """How the tokens are drawn; nulls are what leaves the distribution as it is."""
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
        "top_logprobs": body.top_logprobs,
        "seed": secrets.randbits(53) if body.seed is None else body.seed,
    }
    return SamplingParams(**{name: value for name, value in given.items() if value is not None})


async def whole(generation: Generation, body: ChatRequest) -> Response:
    """All answers at once."""
    async with generation:
        async for _ in generation.pieces():
            pass
        await generation.store()
        return JSONResponse(
            completion(generation, body), headers={VERSION_HEADER: generation.version}
        )
