"""POST /v1/rankings: what a person thinks of some answers to one prompt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from starlette.responses import JSONResponse, Response

from feedback.preferences import HIGHEST, LOWEST
from feedback.records import StoredRanking

from . import access
from .errors import documented, refused
from .serving import Serving
from .wire import RankingRequest

router = APIRouter()

IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=256)]


@router.post(
    "/v1/rankings",
    status_code=201,
    responses={
        200: {"description": "The ranking that this Idempotency-Key already brought."},
        **documented(404, 422),
    },
)
def rank(
    request: Request, body: RankingRequest, idempotency_key: IdempotencyKey = None
) -> Response:
    """Appends a ranking. The same Idempotency-Key with the same body gives the same ranking again,
    as 200."""
    serving: Serving = request.app.state.serving
    check_scale(body.ratings or {}, serving.settings.learner.reward.criteria)
    stored = serving.store.add_ranking(
        person=access.person(body.user, serving.key),
        candidates=body.candidates,
        completion_id=body.completion_id,
        ranks=body.ranks,
        none_acceptable=body.none_acceptable,
        ratings=body.ratings,
        comment=body.comment,
        task_id=body.task_id,
        idempotency_key=idempotency_key,
    )
    return JSONResponse(shown(stored, serving), 200 if stored.repeated else 201)


def check_scale(ratings: Mapping[str, Iterable[float | None]], criteria: Iterable[str]) -> None:
    """Raises ApiError for a rating by one of the criteria that is off the scale."""
    for criterion in criteria:
        for value in ratings.get(criterion, ()):
            if value is not None and not LOWEST <= value <= HIGHEST:
                scale = f"is not from {LOWEST:g} (the least {criterion}) to {HIGHEST:g}"
                raise refused("ratings", value, scale)


def shown(stored: StoredRanking, serving: Serving) -> dict[str, Any]:
    return {
        "id": stored.id,
        "object": "ranking",
        "candidates": stored.candidates,
        "ranks": stored.ranks,
        "none_acceptable": stored.none_acceptable,
        "ratings": stored.ratings,
        "comment": stored.comment,
        "task_id": stored.task_id,
        "supersedes": stored.supersedes,
        "created_at": stored.created_at,
        "waiting": serving.store.waiting().count,
        "needed": serving.settings.learner.rankings_per_round,
    }
