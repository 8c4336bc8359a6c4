"""/v1/candidates/{id}/tokens: an answer token by token, and what each one was drawn from.

The distribution is not stored. The step that drew the token is done again, by the same version, on
the same tokens, with the same parameters: what comes out is what there was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import fields
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Path, Query, Request

from feedback.records import StoredCandidate
from policy.params import SamplingParams

from . import access
from .errors import ApiError
from .generation import Mailbox, raise_fault
from .jobs import Fault, Job, Piece
from .serving import MODEL, Serving

router = APIRouter()

CandidateId = Annotated[str, Path(pattern=r"^[\w.:-]{1,128}$")]
Place = Annotated[int, Path(ge=0, lt=2**31)]
Top = Annotated[int, Query(ge=1, le=50)]


@router.get("/v1/candidates/{id}/tokens")
async def tokens(request: Request, id: CandidateId) -> dict[str, Any]:
    """The answer's tokens; their texts, joined, are the answer's."""
    serving: Serving = request.app.state.serving
    stored = await asyncio.to_thread(serving.store.candidate, id)
    async with serving.lent(f"{MODEL}@{stored.version}") as resident:
        texts = await asyncio.to_thread(resident.texts, stored.token_ids)
    return {
        "object": "list",
        "data": [shown(stored, place, text) for place, text in enumerate(texts)],
    }


@router.get("/v1/candidates/{id}/tokens/{place}")
async def token(request: Request, id: CandidateId, place: Place, top: Top = 10) -> dict[str, Any]:
    """One of them, with the `top` likeliest tokens of the distribution that it was drawn from."""
    serving: Serving = request.app.state.serving
    stored = await asyncio.to_thread(serving.store.candidate, id)
    if place >= len(stored.token_ids):
        message = f"The answer has {len(stored.token_ids)} tokens, and {place} is none of them."
        raise ApiError(404, message, param="place", code="not_found")
    person = access.person(None, serving.key)
    serving.admit(person)
    try:
        async with serving.lent(f"{MODEL}@{stored.version}") as resident:
            piece = await drawn_again(serving, stored, place, top)
            texts = resident.texts(stored.token_ids[: place + 1])
            odds = [
                {"token": token, "text": resident.text([token]), "logprob": logp}
                for token, logp in piece.odds
            ]
    finally:
        serving.leave(person)
    return {**shown(stored, place, texts[place]), "odds": odds}


def shown(stored: StoredCandidate, place: int, text: str) -> dict[str, Any]:
    """`logprob` is as sampled, `raw_logprob` the model's own."""
    return {
        "object": "token",
        "candidate": stored.id,
        "place": place,
        "token": stored.token_ids[place],
        "text": text,
        "logprob": stored.logps[place],
        "raw_logprob": stored.raw_logps[place],
    }


async def drawn_again(serving: Serving, stored: StoredCandidate, place: int, top: int) -> Piece:
    """The step that drew the answer's token at `place`; raises ApiError on a fault."""
    job = Job(
        id=f"odds-{uuid4().hex}",
        version=stored.version,
        prompt=stored.prompt_ids,
        n=1,
        said=stored.token_ids[:place],
        params=params_of(stored, place, top),
        stop_ids=frozenset(stored.params["stop_token_ids"]),
        ignore_eos=stored.params["ignore_eos"],
    )
    mailbox = Mailbox()
    serving.worker.submit(job, mailbox)
    event = (await mailbox.take())[0]
    if isinstance(event, Fault):
        raise_fault(event)
    return event


def params_of(stored: StoredCandidate, place: int, top: int) -> SamplingParams:
    """How the answer was drawn, up to that token and no further."""
    known = {field.name for field in fields(SamplingParams)}
    kept = {name: value for name, value in stored.params.items() if name in known}
    biases: Sequence[Sequence[Any]] = kept.pop("logit_bias", ())
    now = {"seed": stored.seed, "max_tokens": place + 1, "top_logprobs": 0, "odds": top}
    return SamplingParams(
        **{**kept, **now, "logit_bias": tuple((id, value) for id, value in biases)}
    )
