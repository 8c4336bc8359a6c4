"""Versions: what there is, and who may answer next: /v1/versions."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request

from feedback.records import VersionInfo, VersionMove

from ..doors import access
from ..errors import documented
from ..serving import Serving
from ..wire import ReasonRequest, RollbackRequest
from .operators import TextId, User, actor, listed, of

router = APIRouter()


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
def rollback(request: Request, body: RollbackRequest) -> dict[str, Any]:
    """Returns to the version that was live before, rejects the one that is, and ends the round that
    runs: it can publish nothing more."""
    serving = of(request)
    by = actor(serving, body)
    done = serving.store.rollback(actor=by, reason=body.reason, set_aside=body.quarantine)
    rolled_back = {"version": done.version, "round": done.round_id, "set_aside": done.set_aside}
    return {**moved(serving, done.live.version, by), "rolled_back": rolled_back}


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


@router.post("/v1/versions/{id}/pin", responses=documented(404, 409))
def pin(request: Request, id: TextId, body: ReasonRequest) -> dict[str, Any]:
    """Holds the live version in its place: no canary is promoted over it. A person's promotion does
    the same."""
    return held(request, id, body, pinned=True)


@router.post("/v1/versions/{id}/unpin", responses=documented(404, 409))
def unpin(request: Request, id: TextId, body: ReasonRequest) -> dict[str, Any]:
    """Lets go of it again."""
    return held(request, id, body, pinned=False)


def held(request: Request, id: str, body: ReasonRequest, *, pinned: bool) -> dict[str, Any]:
    serving = of(request)
    by = actor(serving, body)
    serving.store.pin(id, pinned=pinned, actor=by, reason=body.reason)
    return moved(serving, id, by)


@router.post("/v1/versions/{id}/quarantine", responses=documented(404))
def quarantine(request: Request, id: TextId, body: ReasonRequest) -> dict[str, Any]:
    """Lets no round learn from rankings of the version's answers; `set_aside` says how many there
    are."""
    serving = of(request)
    by = actor(serving, body)
    serving.store.set_aside(id, actor=by, reason=body.reason)
    return moved(serving, id, by)


@router.post("/v1/versions/{id}/readmit", responses=documented(404))
def readmit(request: Request, id: TextId, body: ReasonRequest) -> dict[str, Any]:
    """Lets rounds learn from them again; what none had used waits for one."""
    serving = of(request)
    by = actor(serving, body)
    serving.store.readmit(id, actor=by, reason=body.reason)
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
        "set_aside": info.set_aside,
        "pinned_by": info.pinned_by,
        "pruned": info.pruned,
        "events": [shown_move(move) for move in info.events],
    }


def shown_move(move: VersionMove) -> dict[str, Any]:
    return {
        "from": move.from_state,
        "to": move.to_state,
        "actor": move.actor,
        "reason": move.reason,
        "at": move.at,
        "evidence": move.evidence,
    }
