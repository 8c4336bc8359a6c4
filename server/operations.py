"""What operators see and do: the learner, its rounds, the versions, a candidate's tokens."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from feedback.records import (
    InputInfo,
    LearnerInfo,
    RoundInfo,
    StoredCandidate,
    VersionInfo,
    VersionMove,
)

from . import access
from .errors import documented
from .marks import waiting_thumbs
from .serving import Serving
from .wire import Name, OperatorRequest, ReasonRequest, RoundRequest

router = APIRouter()

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


# The learner


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
        "next_run_at": info.next_run_at,
        "last_error": info.last_error,
        "trainable": info.missing is None,
        "missing": info.missing,
    }


# Rounds


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


# Versions


@router.get("/v1/versions")
def versions(request: Request, user: User = None) -> dict[str, Any]:
    """Every version, oldest first; `yours` counts the rankings of `user`."""
    serving = of(request)
    person = access.person(user, serving.key)
    return listed([shown_version(serving, info) for info in serving.store.versions(person)])


@router.get("/v1/versions/{id}", responses=documented(404))
def one_version(request: Request, id: TextId, user: User = None) -> dict[str, Any]:
    """A version: its state, and how it came to it."""
    serving = of(request)
    info = serving.store.version(id, access.person(user, serving.key))
    return shown_version(serving, info)


@router.post("/v1/versions/rollback", responses=documented(404, 409))
def rollback(request: Request, body: ReasonRequest) -> dict[str, Any]:
    """Returns to the version that was live before, and rejects the one that is."""
    serving = of(request)
    by = actor(serving, body)
    live = serving.store.rollback(actor=by, reason=body.reason)
    return moved(serving, live.version, by)


@router.post("/v1/versions/{id}/promote", responses=documented(404, 409))
def promote(request: Request, id: TextId, body: ReasonRequest) -> dict[str, Any]:
    """Makes a version live. New requests get it as soon as it is loaded, within about a second."""
    serving = of(request)
    by = actor(serving, body)
    live = serving.store.promote(id, actor=by, reason=body.reason)
    return moved(serving, live.version, by)


@router.post("/v1/versions/{id}/reject", responses=documented(404, 409))
def reject(request: Request, id: TextId, body: ReasonRequest) -> dict[str, Any]:
    """Takes a version that is not live out of the running."""
    serving = of(request)
    by = actor(serving, body)
    serving.store.reject(id, actor=by, reason=body.reason)
    return moved(serving, id, by)


def moved(serving: Serving, id: str, person: str) -> dict[str, Any]:
    serving.follow()
    return shown_version(serving, serving.store.version(id, person))


def shown_version(serving: Serving, info: VersionInfo) -> dict[str, Any]:
    return {
        "object": "version",
        "id": info.id,
        "kind": info.kind,
        "state": info.state,
        "live": info.live,
        "resident": info.id in serving.resident_ids,
        "problem": serving.problems.get(info.id),
        "digest": info.digest,
        "parent": info.parent,
        "round": info.round_id,
        "reward_model": info.reward_id,
        "created_at": info.created_at,
        "figures": info.figures,
        "learned_from": asdict(info.learned_from),
        "events": [shown_move(move) for move in info.events],
    }


def shown_move(move: VersionMove) -> dict[str, Any]:
    return {
        "from": move.from_state,
        "to": move.to_state,
        "actor": move.actor,
        "reason": move.reason,
        "at": move.at,
    }


# Candidates


@router.get("/v1/candidates/{id}", responses=documented(404))
def candidate(request: Request, id: TextId) -> dict[str, Any]:
    """One answer: its tokens, their log-probabilities, what it takes to generate it again, and what
    reward models say of it. One that none has scored yet is scored next."""
    store = of(request).store
    stored, rewards = store.candidate(id), store.rewards(id)
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
