"""GET /v1/versions/compared: which version people prefer, from rankings with answers of several."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request

from feedback.compared import Comparisons, compare
from feedback.trust.judgements import Judgement
from feedback.trust.weights import apply, weigh

from ..serving import Serving

router = APIRouter()


@router.get("/v1/versions/compared")
def compared(request: Request) -> dict[str, Any]:
    """Strengths with 95 % intervals, strongest first; length, lists and headings are held constant,
    and people weigh what they weigh in rounds."""
    found = comparisons(request.app.state.serving)
    return {
        "object": "list",
        "data": [{"object": "version.compared", **asdict(version)} for version in found.versions],
        "baseline": found.baseline,
        "style": {name: asdict(estimate) for name, estimate in found.style.items()},
        "tie": asdict(found.tie) if found.tie else None,
        "rankings": found.rankings,
        "pairs": found.pairs,
    }


def comparisons(serving: Serving) -> Comparisons:
    """What people think of versions; what is set aside from learning says so too."""
    rankings = serving.store.telling_rankings()
    weighing = weigh([Judgement.of(r) for r in rankings], serving.settings.learner.trust, 0)
    return compare(apply(rankings, weighing))
