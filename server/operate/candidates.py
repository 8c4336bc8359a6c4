"""One answer: its tokens, and what reward models say of it: /v1/candidates."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from feedback.records import StoredCandidate

from ..doors import issued
from ..errors import documented
from .operators import TextId, of

router = APIRouter()


@router.get("/v1/candidates/{id}", responses=documented(404))
def candidate(request: Request, id: TextId) -> dict[str, Any]:
    """One answer: its tokens, their log-probabilities, what it takes to generate it again, and what
    reward models say of it. One that none has scored yet is scored next."""
    serving, store = of(request), of(request).store
    stored, rewards = issued.candidate(serving, id), store.rewards(id)
    if not rewards:
        store.want_reward(id)
    return shown_candidate(stored, rewards)


def shown_candidate(
    stored: StoredCandidate, rewards: dict[str, dict[str, float]]
) -> dict[str, Any]:
    return {
        "object": "candidate",
        "id": stored.id,
        "completion_id": stored.generation_id,
        "conversation_id": stored.conversation_id,
        "index": stored.index,
        "text": stored.text,
        "version": stored.version,
        "digest": stored.digest,
        "messages": [{"role": role, "content": content} for role, content in stored.messages],
        "prompt_ids": stored.prompt_ids,
        "tokens": stored.token_ids,
        "logprobs": stored.logps,
        "raw_logprobs": stored.raw_logps,
        "finish_reason": stored.finish_reason,
        "params": stored.params,
        "seed": stored.seed,
        "template_hash": stored.template_hash,
        "rewards": rewards,
        "created_at": stored.created_at,
    }
