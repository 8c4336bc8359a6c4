"""What the label tab's functions make of what a browser sends."""

from __future__ import annotations

import asyncio
from typing import Any

from ui.client import Refused
from ui.label import Ranking, Who, called


def a_ranking(**more: Any) -> Ranking:
    sent = {"task": "12", "candidates": ["a", "b", "c", "d"], "ranks": [2, 4, 4, None], "key": "k"}
    return Ranking.model_validate({**sent, **more})


def test_ranks_are_sent_without_gaps() -> None:
    """2, 4, 4 and an unranked one are first, second, second, unranked."""
    assert a_ranking().verdict().ranks == [1, 2, 2, None]


def test_nothing_said_is_nothing_sent() -> None:
    """An empty comment and no ratings are none."""
    verdict = a_ranking(comment="", ratings={}).verdict()
    assert (verdict.comment, verdict.ratings) == (None, None)


def test_what_does_not_fit_is_answered_with_a_sentence() -> None:
    """A page from before the server's last release may send anything."""

    async def never(_who: Who) -> dict[str, Any]:
        raise AssertionError("nothing is asked of the server")

    answer = asyncio.run(called("label_next", Who, never)({"person": ["ada"]}))
    assert answer == {"error": "This page is older than its server: load it again."}


def test_a_refused_item_is_told_from_other_troubles() -> None:
    """One that is another's is gone; a full queue is not."""

    def refused(status: int, code: str) -> dict[str, Any]:
        async def refuse(_who: Who) -> dict[str, Any]:
            raise Refused(status, "No.", code)

        return asyncio.run(called("label_rank", Who, refuse)({"person": "ada"}))

    assert refused(409, "not_issued") == {"error": "No.", "gone": True}
    assert refused(503, "server_overloaded") == {"error": "No.", "gone": False}
