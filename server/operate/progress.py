"""GET /v1/progress: is it getting better?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request

from feedback.standings import Standing, standings

from .compared import comparisons
from .operators import of

router = APIRouter()

ROUNDS = 1000


@router.get("/v1/progress")
def progress(request: Request) -> dict[str, Any]:
    """Win rates over the starting model and over the version that was live before, by people and by
    reward model apart, of every version, oldest first."""
    store = of(request).store
    rounds = {info.id: info for info in store.rounds(ROUNDS)}
    began = {id: info.claimed_at for id, info in rounds.items() if info.claimed_at is not None}
    live = {id: store.live_at(at) for id, at in began.items()}
    was_live = {id: version for id, version in live.items() if version is not None}
    found = standings(store.versions(), rounds, was_live, comparisons(of(request)))
    return {"object": "list", "data": [shown(standing) for standing in found], "base": "v0"}


def shown(standing: Standing) -> dict[str, Any]:
    return {"object": "version.progress", **asdict(standing)}
