"""/v1/prompts: sets of prompts whose answers people are to rank."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import Message

from feedback.labelling import Turns

from ..answers.ask import turns
from ..doors import access
from ..doors.access import JSON_LINES
from ..errors import ApiError
from ..serving import Serving
from .ahead import Ahead
from .rankings import check_known
from .task_bodies import PromptBody, PromptsRequest


class FromLines(APIRoute):
    """Takes JSON lines as well: a prompt to a line, the set and the user in the query."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_lines(request: Request) -> Response:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if request.method == "POST" and kind in JSON_LINES:
                request = as_json(request, parsed(await request.body(), request.url.query))
            return await handle(request)

        return handle_lines


router = APIRouter(route_class=FromLines)


def parsed(lines: bytes, query: str) -> dict[str, Any]:
    """The body that these lines stand for; raises ApiError naming the line that is no JSON."""
    prompts = []
    for number, line in enumerate(lines.splitlines(), start=1):
        if line.strip():
            try:
                prompts.append(json.loads(line))
            except ValueError as error:
                message = f"Line {number} is not JSON: {error}."
                raise ApiError(400, message, param="prompts", code="invalid_value") from None
    asked: dict[str, Any] = {name: values[0] for name, values in parse_qs(query).items()}
    if "criteria" in asked:
        asked["criteria"] = asked["criteria"].split(",")
    return {**asked, "prompts": prompts}


def as_json(request: Request, body: dict[str, Any]) -> Request:
    """The same request with that body."""
    scope = {**request.scope, "headers": list(request.scope["headers"])}
    MutableHeaders(scope=scope)["content-type"] = "application/json"
    whole = json.dumps(body).encode()

    async def receive() -> Message:
        return {"type": "http.request", "body": whole, "more_body": False}

    return Request(scope, receive)


@router.post("/v1/prompts")
def add(request: Request, body: PromptsRequest) -> dict[str, Any]:
    """Adds prompts to a set, which takes none of them twice. The live version answers them as
    people come to rank the answers."""
    serving: Serving = request.app.state.serving
    ahead: Ahead = request.app.state.ahead
    person = access.person(body.user, serving.key)
    messages = [messages_of(prompt) for prompt in body.prompts]
    check_known("criteria", body.criteria, serving.settings.learner.reward.criteria)
    found = serving.store.add_prompts(body.set, messages, person=person, criteria=body.criteria)
    ahead.expect(person)
    return {
        "object": "prompt.import",
        "set": body.set,
        "added": found.added,
        "known": found.known,
        "total": found.total,
    }


def messages_of(prompt: PromptBody) -> Turns:
    return turns(prompt.messages) if prompt.messages else (("user", prompt.prompt or ""),)


@router.get("/v1/prompts")
def sets(request: Request) -> dict[str, Any]:
    """Every set: how many prompts, how many are answered, how many of those are ranked, and the
    share of PPO's prompts that is drawn of it."""
    serving: Serving = request.app.state.serving
    shares = serving.settings.learner.ppo.prompt_sets
    data = [
        {
            "object": "prompt.set",
            "set": found.name,
            "prompts": found.prompts,
            "answered": found.answered,
            "labelled": found.labelled,
            "share": shares.get(found.name),
        }
        for found in serving.store.prompt_sets()
    ]
    return {"object": "list", "data": data}
