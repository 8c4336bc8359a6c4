"""GET /v1/raters: how far each person's rankings are trusted, and what that rests on."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request

from feedback.errors import UnknownRater
from feedback.trust.gold import Tally
from feedback.trust.krippendorff import alpha_of_ranks
from feedback.trust.raters import Rater, raters

from ..errors import documented
from ..serving import Serving

router = APIRouter()

Person = Annotated[str, Path(min_length=1, max_length=256)]


@router.get("/v1/raters")
def all_raters(request: Request) -> dict[str, Any]:
    """Everybody who ranked, by name; `alpha` is how far all of them agree, `people` from how many
    on trust and caps act."""
    found, round_id, alpha = known(request)
    serving: Serving = request.app.state.serving
    return {
        "object": "list",
        "data": [shown(rater) for rater in found],
        "round": round_id,
        "alpha": alpha,
        "people": serving.settings.learner.trust.people,
    }


@router.get("/v1/raters/{id:path}", responses=documented(404))
def one_rater(request: Request, id: Person) -> dict[str, Any]:
    """One of them."""
    for rater in known(request)[0]:
        if rater.person == id:
            return shown(rater)
    raise UnknownRater(f"nobody called {id!r} has ranked", param="id", value=id)


def known(request: Request) -> tuple[list[Rater], int | None, float | None]:
    """All raters, the last round that used rankings, and Krippendorff's alpha."""
    serving: Serving = request.app.state.serving
    store, settings = serving.store, serving.settings.learner.trust
    judgements, (round_id, weights) = store.judgements(), store.last_weights()
    found = raters(judgements, settings, weights, store.down_weightings())
    return found, round_id, alpha_of_ranks(judgements)


def shown(rater: Rater) -> dict[str, Any]:
    return {
        "object": "rater",
        "id": rater.person,
        "rankings": rater.rankings,
        "trust": rater.trust.weight,
        "reason": rater.trust.reason,
        "skill": rater.skill.value if rater.skill.evidence else None,
        "checked": rater.skill.rankings,
        "tau_b": rater.tau_b,
        "gold": counted(rater.gold),
        "self_consistency": counted(rater.self_consistency),
        "first_shown": counted(rater.first_shown),
        "longest": counted(rater.longest),
        "median_seconds": rater.median_seconds,
        "round_weight": rater.round_weight,
        "left_out": rater.left_out,
        "lighter": rater.lighter,
    }


def counted(tally: Tally) -> dict[str, Any]:
    """A share, and of how many."""
    return {"share": tally.share, "of": tally.count}
