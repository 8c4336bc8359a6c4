"""/v1/conversations: what a person asked before, and what was answered."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from ..doors import access
from ..errors import documented
from ..serving import Serving
from ..wire import Name

router = APIRouter()

User = Annotated[Name | None, Query()]
Limit = Annotated[int, Query(ge=1, le=1000)]
ConversationId = Annotated[str, Path(min_length=1, max_length=256)]


@router.get("/v1/conversations")
def conversations(request: Request, user: User = None, limit: Limit = 50) -> dict[str, Any]:
    """The person's last conversations, the one that went on last first."""
    serving: Serving = request.app.state.serving
    found = serving.store.conversations(access.person(user, serving.key), limit)
    data = [{"object": "conversation", **asdict(each)} for each in found]
    return {"object": "list", "data": data}


@router.get("/v1/conversations/{id}", responses=documented(404))
def conversation(request: Request, id: ConversationId, user: User = None) -> dict[str, Any]:
    """One of them as a tree: each turn names the turn that it answers, or null. An answer that was
    asked for again, and a message that was edited, are branches. Another person's is a 404."""
    serving: Serving = request.app.state.serving
    turns = serving.store.conversation(id, access.person(user, serving.key))
    return {"object": "conversation", "id": id, "turns": [asdict(turn) for turn in turns]}
