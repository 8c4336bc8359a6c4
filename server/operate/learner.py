"""What the learner does, and whether it may: /v1/learner."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request

from feedback.records import LearnerInfo

from ..said.marks import waiting_thumbs
from ..serving import Serving
from ..wire import OperatorRequest
from . import alarms
from .operators import actor, of

router = APIRouter()


@router.get("/v1/learner")
def learner(request: Request) -> dict[str, Any]:
    """What the learner does, and what it waits for."""
    serving = of(request)
    return shown_learner(serving, serving.store.learner())


@router.post("/v1/learner/pause")
def pause(request: Request, body: OperatorRequest | None = None) -> dict[str, Any]:
    """Lets no new round begin; one that runs goes on."""
    serving = of(request)
    serving.store.pause(actor(serving, body))
    return learner(request)


@router.post("/v1/learner/resume")
def resume(request: Request, body: OperatorRequest | None = None) -> dict[str, Any]:
    """Lets rounds begin again."""
    serving = of(request)
    serving.store.resume(actor(serving, body))
    return learner(request)


def shown_learner(serving: Serving, info: LearnerInfo) -> dict[str, Any]:
    running = None if info.round_id is None else serving.store.round(info.round_id)
    waiting = serving.store.waiting()
    return {
        "object": "learner",
        "state": info.state,
        "paused": info.paused,
        "holder": info.holder,
        "round": info.round_id,
        "stage": running and running.stage,
        "step": running and running.step,
        "steps": running and running.steps,
        "eta_s": running and running.eta_s,
        "heartbeat_age_s": info.heartbeat_age_s,
        "lease": asdict(info.lease) if info.lease else None,
        "waiting": {
            "rankings": waiting.count,
            "oldest_s": waiting.oldest_age_s,
            "needed": serving.settings.learner.rankings_per_round,
            "demonstrations": serving.store.waiting_demonstrations().count,
            "demonstrations_needed": serving.settings.learner.demonstrations_per_round,
            "thumbs": waiting_thumbs(serving),
        },
        "alarm": serving.store.alarm(),
        "alarms": [alarm.text for alarm in alarms.raised(serving)],
        "next_run_at": info.next_run_at,
        "last_error": info.last_error,
        "trainable": info.missing is None,
        "missing": info.missing,
    }
