"""POST /v1/rankings: what a person thinks of some answers to one prompt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from starlette.responses import JSONResponse, Response

from feedback.preferences import HIGHEST, LOWEST
from feedback.rankings import Told
from feedback.records import StoredRanking
from rankloop_faults import point

from ..doors import access, issued
from ..errors import documented, refused
from ..serving import Serving
from ..wire import RankingRequest
from . import tasks

router = APIRouter()

IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=256)]


@router.post(
    "/v1/rankings",
    status_code=201,
    responses={
        200: {"description": "The ranking that this Idempotency-Key already brought."},
        **documented(404, 409, 422),
    },
)
def rank(
    request: Request, body: RankingRequest, idempotency_key: IdempotencyKey = None
) -> Response:
    """Appends a ranking, with `task_id` of an item that the person was given. The same
    Idempotency-Key with the same body gives the same ranking again, as 200."""
    serving: Serving = request.app.state.serving
    criteria = serving.settings.learner.reward.criteria
    check_scale(body.ratings or {}, criteria)
    check_known("criterion", [body.criterion] if body.criterion else [], criteria)
    person = access.person(body.user, serving.key)
    point("ranking.keep")
    stored = keep(serving, body, person, idempotency_key)
    point("ranking.kept")
    answer = shown(stored, serving)
    if body.next:
        answer["next"] = tasks.following(request, person)
    return JSONResponse(answer, 200 if stored.repeated else 201)


def keep(
    serving: Serving, body: RankingRequest, person: str, idempotency_key: str | None
) -> StoredRanking:
    said: dict[str, Any] = {
        "person": person,
        "candidates": body.candidates,
        "completion_id": body.completion_id,
        "ranks": body.ranks,
        "none_acceptable": body.none_acceptable,
        "ratings": body.ratings,
        "comment": body.comment,
        "idempotency_key": idempotency_key,
        "criterion": body.criterion,
        "told": Told(body.shown, body.blind, body.seconds, body.input, body.guidelines),
    }
    if body.task_id is None:
        issued.check(serving, body.candidates, body.completion_id)
        return serving.store.add_ranking(**said)
    issued.check_task(serving, body.task_id)
    return serving.store.answer_task(task_id=body.task_id, **said)


def check_scale(ratings: Mapping[str, Iterable[float | None]], criteria: Iterable[str]) -> None:
    """Raises ApiError for a rating by one of the criteria that is off the scale."""
    for criterion in criteria:
        for value in ratings.get(criterion, ()):
            if value is not None and not LOWEST <= value <= HIGHEST:
                scale = f"is not from {LOWEST:g} (the least {criterion}) to {HIGHEST:g}"
                raise refused("ratings", value, scale)


def check_known(param: str, named: Iterable[str], criteria: Iterable[str]) -> None:
    """Raises ApiError for one that is none of the criteria: nothing would be learned of it."""
    known = [*criteria]
    for criterion in named:
        if criterion not in known:
            raise refused(param, criterion, f"is none of {', '.join(known) or 'no criteria'}")


def shown(stored: StoredRanking, serving: Serving) -> dict[str, Any]:
    return {
        "id": stored.id,
        "object": "ranking",
        "candidates": stored.candidates,
        "ranks": stored.ranks,
        "criterion": stored.criterion,
        "none_acceptable": stored.none_acceptable,
        "ratings": stored.ratings,
        "comment": stored.comment,
        "task_id": stored.task_id,
        "supersedes": stored.supersedes,
        "created_at": stored.created_at,
        "waiting": serving.store.waiting().count,
        "needed": serving.settings.learner.rankings_per_round,
    }
