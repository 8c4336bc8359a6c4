"""POST /v1/thumbs and /v1/ratings: what a person thinks of one answer by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from feedback.preferences import THUMB
from feedback.records import StoredMark

from ..doors import access, issued
from ..errors import documented, refused
from ..serving import Serving
from ..wire import RatingRequest, ThumbRequest
from .rankings import IdempotencyKey, check_scale

router = APIRouter()

RETRIED: dict[int | str, dict[str, Any]] = {
    200: {"description": "What this Idempotency-Key already brought."}
}


@router.post("/v1/thumbs", status_code=201, responses={**RETRIED, **documented(404, 422)})
def thumb(request: Request, body: ThumbRequest, idempotency_key: IdempotencyKey = None) -> Response:
    """Appends a thumb, up or down. The same Idempotency-Key with the same body gives the same thumb
    again, as 200."""
    serving: Serving = request.app.state.serving
    values = {THUMB: float(body.up)}
    stored = keep(serving, body, values, idempotency_key, body.comment)
    shown = {"object": "thumb", "up": body.up, "comment": stored.comment}
    beside = {"supersedes": stored.supersedes.get(THUMB), "waiting": waiting_thumbs(serving)}
    return answered(stored, shown | beside)


@router.post("/v1/ratings", status_code=201, responses={**RETRIED, **documented(404, 422)})
def rate(request: Request, body: RatingRequest, idempotency_key: IdempotencyKey = None) -> Response:
    """Appends ratings of an answer by criterion, 1 to 7. The same Idempotency-Key with the same
    body gives the same ratings again, as 200."""
    serving: Serving = request.app.state.serving
    known = serving.settings.learner.reward.criteria
    for criterion in body.ratings:
        if criterion not in known:
            raise refused("ratings", criterion, f"is none of the criteria: {', '.join(known)}")
    check_scale({criterion: [value] for criterion, value in body.ratings.items()}, known)
    stored = keep(serving, body, body.ratings, idempotency_key)
    shown = {"object": "rating", "ratings": stored.values, "supersedes": stored.supersedes}
    return answered(stored, shown)


def keep(
    serving: Serving,
    body: ThumbRequest | RatingRequest,
    values: Mapping[str, float],
    idempotency_key: str | None,
    comment: str | None = None,
) -> StoredMark:
    issued.check(serving, [body.candidate])
    return serving.store.add_marks(
        person=access.person(body.user, serving.key),
        candidate=body.candidate,
        values=values,
        idempotency_key=idempotency_key,
        comment=comment,
    )


def answered(stored: StoredMark, shown: dict[str, Any]) -> Response:
    """What was stored: 201, or 200 for a retry."""
    kept = {"id": stored.id, "candidate": stored.candidate, "created_at": stored.created_at}
    return JSONResponse({**kept, **shown}, 200 if stored.repeated else 201)


def waiting_thumbs(serving: Serving) -> int:
    """One person's thumbs of one prompt are one; only a reward model of good and bad learns from
    them, so for any other kind none waits."""
    if serving.settings.learner.reward.kind != "binary":
        return 0
    return serving.store.waiting_thumbs().count
