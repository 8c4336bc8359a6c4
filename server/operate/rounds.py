"""Learning rounds: /v1/rounds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request

from feedback.records import InputInfo, RoundInfo

from ..errors import documented
from ..wire import OperatorRequest, RoundRequest
from .operators import Limit, RoundId, actor, listed, of

router = APIRouter()


@router.post("/v1/rounds", status_code=202, responses=documented(404, 409))
def start_round(request: Request, body: RoundRequest | None = None) -> dict[str, Any]:
    """Queues a round; if one is queued or running already, that one is the answer. A repeat of
    another round is refused then."""
    serving = of(request)
    stages = body.stages if body else None
    by = actor(serving, body)
    if body and body.repeat is not None:
        again = serving.store.repeat_round(body.repeat, without=body.without, actor=by)
        return shown_round(again)
    return shown_round(serving.store.request_round(trigger="operator", stages=stages, actor=by))


@router.get("/v1/rounds")
def rounds(request: Request, limit: Limit = 50) -> dict[str, Any]:
    """The last rounds, newest first."""
    return listed([shown_round(info) for info in of(request).store.rounds(limit)])


@router.get("/v1/rounds/{id}", responses=documented(404))
def one_round(request: Request, id: RoundId) -> dict[str, Any]:
    """A round: where it is, or how it ended and why."""
    return shown_round(of(request).store.round(id))


@router.get("/v1/rounds/{id}/metrics", responses=documented(404))
def metrics(request: Request, id: RoundId) -> dict[str, Any]:
    """The figures of a round's steps, oldest first."""
    return listed([asdict(point) for point in of(request).store.metrics(id)])


@router.get("/v1/rounds/{id}/inputs", responses=documented(404))
def inputs(request: Request, id: RoundId) -> dict[str, Any]:
    """The rankings that a round learned from, whose they are and what they weigh."""
    return listed([shown_input(info) for info in of(request).store.round_inputs(id)])


@router.post("/v1/rounds/{id}/cancel", responses=documented(404, 409))
def cancel_round(
    request: Request, id: RoundId, body: OperatorRequest | None = None
) -> dict[str, Any]:
    """Asks a round to stop."""
    serving = of(request)
    return shown_round(serving.store.cancel_round(id, actor(serving, body)))


def shown_input(info: InputInfo) -> dict[str, Any]:
    return {
        "ranking": info.ranking_id,
        "person": info.person,
        "weight": info.weight,
        "reason": info.reason,
    }


def shown_round(info: RoundInfo) -> dict[str, Any]:
    return {
        "object": "round",
        "id": info.id,
        "state": info.state,
        "outcome": info.outcome,
        "trigger": info.trigger,
        "repeat_of": info.repeat_of,
        "without": info.without,
        "stages": info.stages,
        "stage": info.stage,
        "step": info.step,
        "steps": info.steps,
        "eta_s": info.eta_s,
        "rankings": info.rankings,
        "distrusted": info.distrusted,
        "lighter": info.lighter,
        "demonstrations": info.demonstrations,
        "left_out": info.left_out,
        "held_back": info.held_back,
        "version": info.version_id,
        "reward_model": info.reward_id,
        "reasons": [asdict(reason) for reason in info.reasons],
        "reward": info.reward,
        "error": info.error,
        "cancel_requested": info.cancel_requested,
        "created_at": info.created_at,
        "claimed_at": info.claimed_at,
        "decided_at": info.decided_at,
    }
