"""/v1/models, /tokenize and /detokenize: what there is to ask, and how it reads texts."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request

from ..errors import ApiError, documented, refused
from ..serving import MODEL, Serving
from .ask import Prompt, turns
from .bodies import DetokenizeRequest, TokenizeRequest

router = APIRouter()


@router.get("/v1/models")
def models(request: Request) -> dict[str, Any]:
    """The live version as `rankloop`, and every version in memory by its own name."""
    serving: Serving = request.app.state.serving
    return {"object": "list", "data": [model_card(name, at) for name, at in names(serving)]}


@router.get("/v1/models/{name}", responses=documented(404))
def model(request: Request, name: str) -> dict[str, Any]:
    """One of the names above."""
    serving: Serving = request.app.state.serving
    serving.version_named(name)
    for known, created in names(serving):
        if known == name:
            return model_card(known, created)
    message = f"The model `{name}` is not in memory."
    raise ApiError(404, message, param="model", code="model_not_found")


@router.post("/tokenize", responses=documented(404))
async def tokenize(request: Request, body: TokenizeRequest) -> dict[str, Any]:
    """The token ids of a text, or of messages as a chat would render them."""
    if (body.prompt is None) == (body.messages is None):
        raise ApiError(400, "Send either 'prompt' or 'messages'.", param="prompt")
    prompt = Prompt(turns(body.messages)) if body.messages else Prompt(text=body.prompt or "")
    serving: Serving = request.app.state.serving
    async with serving.lent(body.model) as resident:
        ids = await asyncio.to_thread(serving.encode, resident, prompt)
        return {"count": len(ids), "max_model_len": resident.context, "tokens": ids}


@router.post("/detokenize", responses=documented(404))
async def detokenize(request: Request, body: DetokenizeRequest) -> dict[str, Any]:
    """The text of token ids; special tokens have none."""
    serving: Serving = request.app.state.serving
    async with serving.lent(body.model) as resident:
        for id in body.tokens:
            if id >= resident.vocabulary:
                raise refused("tokens", id, f"is no token of this model's {resident.vocabulary}")
        return {"prompt": await asyncio.to_thread(resident.text, body.tokens)}


def names(serving: Serving) -> list[tuple[str, float]]:
    """Model names, each with the time of its version's birth."""
    resident = serving.residence.ids
    created = {info.id: info.created_at for info in serving.store.versions()}
    live = serving.store.live()
    return [
        *((name, created[live.version]) for name in (MODEL, *serving.settings.server.aliases)),
        *((f"{MODEL}@{id}", at) for id, at in created.items() if id in resident),
    ]


def model_card(name: str, created_at: float) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": int(created_at), "owned_by": MODEL}
