"""Trying a version on some of the people: /v1/versions/{id}/canary, /v1/canary."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request

from feedback.trials import Trial

from ..errors import documented
from ..serving import Serving
from ..wire import CanaryRequest
from .canary import terms_of
from .operators import TextId, actor, of
from .versions import moved

router = APIRouter()


@router.post("/v1/versions/{id}/canary", responses=documented(404, 409))
def begin(request: Request, id: TextId, body: CanaryRequest) -> dict[str, Any]:
    """Lets a share of the people chat with a version, always the same people, and mixes its answers
    with the live one's in what is labelled. It ends by itself when it is surely worse."""
    serving = of(request)
    by = actor(serving, body)
    serving.store.begin_canary(id, share=body.share, actor=by, reason=body.reason)
    return moved(serving, id, by)


@router.get("/v1/canary")
def canary(request: Request) -> dict[str, Any]:
    """How the trial that goes on stands; `canary` is null where there is none."""
    serving = of(request)
    trial = serving.store.trial(terms_of(serving.settings))
    return {"object": "canary", "canary": None if trial is None else shown(serving, trial)}


def shown(serving: Serving, trial: Trial) -> dict[str, Any]:
    settings = serving.settings.server.canary
    return {
        "version": trial.version,
        "live": trial.live,
        "share": settings.share if trial.share is None else trial.share,
        "began_at": trial.began_at,
        "answering": serving.canary_id == trial.version,
        "comparisons": asdict(trial.tally),
        "needed": settings.least,
        "win_rate": {"value": trial.tally.rate, "low": trial.low, "high": trial.high},
        "better": trial.better,
        "pinned_by": trial.pinned_by,
        "promotes": serving.settings.learner.mode == "canary",
        "versions": {version: asdict(beside) for version, beside in trial.beside.items()},
    }
