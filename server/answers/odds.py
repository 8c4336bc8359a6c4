"""/v1/candidates/{id}/tokens: an answer token by token, and what each one was drawn from.

The distribution is not stored. The step that drew the token is done again, by the same version, on
the same tokens, with the same parameters: what comes out is what there was, up to the rounding of
the numbers that it is computed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import JSONResponse, Response

from feedback.records import StoredCandidate
from policy.params import SamplingParams

from ..decode.jobs import Fault, Job, Piece
from ..doors import access, issued
from ..errors import ApiError, documented, too_long
from ..leaving import ClientGone, unless_gone
from ..serving import MODEL, Serving
from .generation import Mailbox, first_events, raise_fault

if TYPE_CHECKING:
    from ..decode.resident import Resident

router = APIRouter()

CandidateId = Annotated[str, Path(pattern=r"^[\w.:-]{1,128}$")]
Place = Annotated[int, Path(ge=0, lt=2**31)]
Top = Annotated[int, Query(ge=1, le=50)]


@router.get("/v1/candidates/{id}/tokens", responses=documented(404, 429))
async def tokens(request: Request, id: CandidateId) -> dict[str, Any]:
    """The answer's tokens; their texts, joined, are the answer's."""
    serving: Serving = request.app.state.serving
    stored = await asyncio.to_thread(issued.candidate, serving, id)
    async with lent(serving, stored) as resident:
        texts = await asyncio.to_thread(texts_of, resident, stored)
    return {
        "object": "list",
        "data": [shown(stored, place, text) for place, text in enumerate(texts)],
    }


@router.get(
    "/v1/candidates/{id}/tokens/{place}",
    response_model=dict[str, Any],
    responses=documented(404, 429),
)
async def token(request: Request, id: CandidateId, place: Place, top: Top = 10) -> Response:
    """One of them, with the `top` likeliest tokens of the distribution that it was drawn from."""
    serving: Serving = request.app.state.serving
    stored = await asyncio.to_thread(issued.candidate, serving, id)
    if place >= len(stored.token_ids):
        message = f"The answer has {len(stored.token_ids)} tokens, and {place} is none of them."
        raise ApiError(404, message, param="place", code="not_found")
    try:
        found = await unless_gone(request.receive, looked_at(serving, stored, place, top))
    except ClientGone:
        return Response(status_code=499)
    return JSONResponse(found)


@asynccontextmanager
async def lent(serving: Serving, stored: StoredCandidate) -> AsyncIterator[Resident]:
    """The version that gave the answer, counted as a request: it may have to be loaded."""
    person = access.person(None, serving.key)
    serving.admit(person)
    try:
        async with serving.lent(f"{MODEL}@{stored.version}") as resident:
            yield resident
    finally:
        serving.leave(person)


async def looked_at(
    serving: Serving, stored: StoredCandidate, place: int, top: int
) -> dict[str, Any]:
    async with lent(serving, stored) as resident:
        piece = await drawn_again(serving, resident, stored, place, top)
        texts = await asyncio.to_thread(texts_of, resident, stored)
        before = stored.token_ids[max(0, place - 1) : place]
        odds = [
            {"token": token, "text": text_after(resident, before, token), "logprob": logp}
            for token, logp in piece.odds
        ]
    return {**shown(stored, place, texts[place]), "odds": odds}


def texts_of(resident: Resident, stored: StoredCandidate) -> list[str]:
    """Each token's part of the answer: nothing of a stop string, and nothing after it."""
    texts, left = [], len(stored.text)
    for text in resident.texts(stored.token_ids):
        texts.append(text[:left])
        left -= len(texts[-1])
    return texts


def text_after(resident: Resident, before: Sequence[int], token: int) -> str:
    """The token's text where it stands: some tokenizers drop the space of a first word."""
    return resident.text([*before, token]).removeprefix(resident.text(before))


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


async def drawn_again(
    serving: Serving, resident: Resident, stored: StoredCandidate, place: int, top: int
) -> Piece:
    """The step that drew the answer's token at `place`; raises ApiError on a fault, and where the
    answer was given with more memory than there is now."""
    known = len(stored.prompt_ids) + place
    if known + 1 > resident.context:
        raise too_long(resident.context, known, 1, "messages")
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
    try:
        event = (await first_events(mailbox, serving.settings.server.wait_s))[0]
    finally:
        serving.worker.cancel(job.id)
    if isinstance(event, Fault):
        raise_fault(event)
    assert isinstance(event, Piece), "only a whole answer begins again"
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
