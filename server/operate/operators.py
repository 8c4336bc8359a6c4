"""What the operators' routes share: ids in paths, who acts, lists."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query, Request

from ..doors import access
from ..serving import Serving
from ..wire import Name, OperatorRequest, ReasonRequest, RoundRequest

RoundId = Annotated[int, Path(ge=1, lt=2**31)]
TextId = Annotated[str, Path(pattern=r"^[\w.:-]{1,128}$")]
User = Annotated[Name | None, Query()]
Limit = Annotated[int, Query(ge=1, le=1000)]


def of(request: Request) -> Serving:
    serving: Serving = request.app.state.serving
    return serving


def actor(serving: Serving, body: OperatorRequest | RoundRequest | ReasonRequest | None) -> str:
    return access.person(body.user if body else None, serving.key)


def listed(data: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "data": data}
