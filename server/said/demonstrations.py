"""POST /v1/demonstrations: what a person would have answered, or both sides of a conversation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from feedback.demonstrations import Turns, check_turns
from feedback.records import StoredDemonstration

from ..answers.ask import Prompt, derived_conversation, turns
from ..doors import access, issued
from ..errors import documented, too_long
from ..serving import MODEL, Serving
from ..wire import DemonstrationRequest
from .rankings import IdempotencyKey

if TYPE_CHECKING:
    from ..decode.resident import Resident

router = APIRouter()


@router.post(
    "/v1/demonstrations",
    status_code=201,
    responses={
        200: {"description": "The demonstration that this Idempotency-Key already brought."},
        **documented(404, 422),
    },
)
async def demonstrate(
    request: Request, body: DemonstrationRequest, idempotency_key: IdempotencyKey = None
) -> Response:
    """Appends a demonstration to the record. The same Idempotency-Key with the
    same body gives the same demonstration again, as 200."""
    serving: Serving = request.app.state.serving
    messages = turns(body.messages)
    check_turns(messages)
    async with serving.lent(MODEL) as resident:
        await asyncio.to_thread(check_length, resident, messages)
    return await run_in_threadpool(keep, serving, body, messages, idempotency_key)


def check_length(resident: Resident, messages: Turns) -> None:
    """Raises ApiError for what the model has no room for, and so could never learn."""
    last = max(i for i, (role, _) in enumerate(messages) if role == "assistant")
    prompt = len(Serving.encode(resident, Prompt(messages[:last])))
    answer = len(resident.encode_text(messages[last][1])) + 1
    if prompt + answer > resident.context:
        raise too_long(resident.context, prompt, answer, "messages")


def keep(
    serving: Serving, body: DemonstrationRequest, messages: Turns, idempotency_key: str | None
) -> Response:
    """It belongs to the conversation that is named, else to the edited answer's, else to that which
    a chat of these messages would have."""
    person = access.person(body.user, serving.key)
    conversation = body.conversation_id
    if body.candidate is not None:
        issued.check(serving, [body.candidate])
    if conversation is None and body.candidate is not None:
        conversation = serving.store.candidate(body.candidate).conversation_id
    stored = serving.store.add_demonstration(
        person=person,
        messages=messages,
        conversation_id=conversation or derived_conversation(person, messages),
        candidate=body.candidate,
        source=body.source,
        idempotency_key=idempotency_key,
    )
    return JSONResponse(shown(stored, serving), 200 if stored.repeated else 201)


def shown(stored: StoredDemonstration, serving: Serving) -> dict[str, Any]:
    return {
        "id": stored.id,
        "object": "demonstration",
        "messages": [{"role": role, "content": content} for role, content in stored.messages],
        "conversation_id": stored.conversation_id,
        "candidate": stored.candidate_id,
        "source": stored.source,
        "created_at": stored.created_at,
        "waiting": serving.store.waiting_demonstrations().count,
    }
