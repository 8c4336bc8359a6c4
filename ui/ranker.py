"""The ranking component, and what its ranks mean. It knows nothing of HTTP.

Four answers with ties take five keys: a digit ranks the marked answer and marks the next one, Enter
submits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import gradio as gr
from pydantic import BaseModel

from ui.inert import asset
from ui.label_wire import Input, Verdict
from ui.memory import Comparison


class Given(BaseModel):
    """What the component sends: ranks that may leave places out, for how long there was something
    to read, and what was used last.
    """

    ranks: list[int | None]
    none: bool = False
    seconds: float | None = None
    input: Input | None = None


def ranker(**more: Any) -> gr.HTML:
    """A component that shows answers side by side and fires `submit` {ranks, none} and `skip`."""
    return gr.HTML(
        value={},
        html_template='<div class="rl-root"></div>',
        js_on_load=asset("dom.js") + asset("ranker.js"),
        apply_default_css=False,
        **more,
    )


def shown(
    comparison: Comparison | None,
    state: Literal["answering", "ready", "sending"] = "ready",
    *,
    error: str | None = None,
) -> dict[str, Any]:
    """The component's value: the answers to rank, or nothing.

    Ranks can be given while answers come; they can be sent once the conversation holds the answers.
    """
    if comparison is None:
        return {}
    answers = [answer.model_dump(exclude={"candidate"}) for answer in comparison.answers]
    return {"key": comparison.key, "state": state, "answers": answers, "error": error}


def verdict_of(sent: Any, comparison: Comparison) -> Verdict:
    """What the component sent, as a ranking of these answers, which stood side by side in their
    order and under the names of their versions.
    """
    given = Given.model_validate(sent)
    candidates = [answer.candidate or "" for answer in comparison.answers]
    return Verdict(
        candidates=candidates,
        ranks=dense(given.ranks),
        none_acceptable=given.none,
        shown=candidates,
        blind=not any(answer.version for answer in comparison.answers),
        seconds=given.seconds,
        input=given.input,
        key=comparison.key,
    )


def dense(ranks: Sequence[int | None]) -> list[int | None]:
    """The same order with no place left out: 2, 4, 4 becomes 1, 2, 2; None stays unranked."""
    places = sorted({rank for rank in ranks if rank is not None})
    return [None if rank is None else places.index(rank) + 1 for rank in ranks]


def best(ranks: Sequence[int | None]) -> int | None:
    """The index of the best-ranked answer, the first in a tie; None where nothing is ranked."""
    ranked = [(rank, i) for i, rank in enumerate(ranks) if rank is not None]
    return min(ranked)[1] if ranked else None
