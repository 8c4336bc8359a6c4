"""Blind battles: two versions answer one prompt, one key says which is better, then their names.

The page holds what is shown; nothing that reaches it before the verdict says which answer is whose.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import gradio as gr
from pydantic import BaseModel

from ui.client import ApiError, Client
from ui.inert import asset, inert
from ui.label_wire import Verdict as Ranking
from ui.trial import comparison
from ui.version_calls import VersionCalls
from ui.version_wire import Battle
from ui.wire import Version

Update = dict[Any, Any]

SAY = "Choose two versions. Without a prompt of yours one is drawn of what people asked."


class Verdict(BaseModel):
    """What the browser sends: the answers as they were shown, and a rank for each."""

    key: str
    candidates: list[str]
    texts: list[str]
    question: list[dict[str, str]]
    ranks: list[int]
    none: bool = False

    def ranking(self) -> Ranking:
        """As the API takes it: blind, in the order that the answers were shown in."""
        return Ranking(
            candidates=self.candidates,
            ranks=list(self.ranks),
            none_acceptable=self.none,
            shown=self.candidates,
            blind=True,
            key=self.key,
        )


@dataclass(frozen=True)
class Parts:
    """The components that handlers change."""

    one: gr.Dropdown
    other: gr.Dropdown
    prompt: gr.Textbox
    ask: gr.Button
    arena: gr.HTML
    compared: gr.HTML
    whole: gr.Column

    @property
    def shown(self) -> list[gr.Component]:
        return [self.one, self.other, self.arena, self.compared]


def layout() -> Parts:
    """The components, inside the current tab."""
    with gr.Column(elem_classes="rl-decide", visible=False) as whole:
        with gr.Row():
            one = gr.Dropdown([], label="One version", elem_id="rl-battle-one", min_width=110)
            other = gr.Dropdown([], label="The other", elem_id="rl-battle-other", min_width=110)
            prompt = gr.Textbox(
                label="Prompt (empty: one that somebody asked)",
                max_lines=4,
                max_length=20_000,
                elem_id="rl-battle-prompt",
                min_width=240,
                scale=4,
            )
        with gr.Row(elem_classes="rl-buttons"):
            ask = gr.Button("Compare blind", variant="primary", elem_id="rl-battle-ask")
        arena = gr.HTML(
            value={"state": "idle", "told": SAY},
            html_template='<div class="rl-root"></div>',
            js_on_load=asset("dom.js") + asset("battle.js"),
            apply_default_css=False,
            elem_id="rl-battle",
        )
        compared = inert(elem_id="rl-compared")
    return Parts(one, other, prompt, ask, arena, compared, whole)


class Arena:
    """The handlers."""

    def __init__(self, client: Client, parts: Parts) -> None:
        self._client = client
        self._calls = VersionCalls(client)
        self._parts = parts

    async def show(self, versions: Sequence[Version], one: str | None, other: str | None) -> Update:
        """The versions to choose from, and how they compare."""
        ids = [version.id for version in versions if version.state != "failed"]
        live = next((version.id for version in versions if version.live), None)
        first = one if one in ids else live
        rest = [id for id in ids if id != first]
        second = other if other in rest else next(reversed(rest), None)
        return {
            self._parts.one: gr.update(choices=ids, value=first),
            self._parts.other: gr.update(choices=ids, value=second),
            self._parts.compared: comparison(await self._calls.comparisons()),
        }

    async def ask(
        self, one: str | None, other: str | None, prompt: str, person: str | None
    ) -> AsyncIterator[Update]:
        """Have both answer."""
        if not one or not other or one == other:
            yield self._told("Choose two versions that differ.", wrong=True)
            return
        yield {self._parts.arena: {"state": "asking"}}
        try:
            battle = await self._calls.battle((one, other), prompt, person)
        except ApiError as error:
            yield self._told(str(error), wrong=True)
            return
        yield {self._parts.arena: _blind(battle)}

    async def judge(self, person: str | None, event: gr.EventData) -> AsyncIterator[Update]:
        """Record who is better, and only then say who is who."""
        verdict = Verdict.model_validate(event._data)
        try:
            await self._client.rank(verdict.ranking(), person)
            names = [await self._calls.version_of(id) for id in verdict.candidates]
            compared = comparison(await self._calls.comparisons())
        except ApiError as error:
            yield {self._parts.arena: _judged(verdict, None, f"{error} Judge again.")}
            return
        yield {
            self._parts.arena: _judged(verdict, names, None),
            self._parts.compared: compared,
        }

    def _told(self, text: str, *, wrong: bool = False) -> Update:
        return {self._parts.arena: {"state": "idle", "told": text, "wrong": wrong}}


def _blind(battle: Battle) -> dict[str, Any]:
    return {
        "state": "ready",
        "key": uuid4().hex,
        "question": [turn.model_dump() for turn in battle.messages],
        "answers": [answer.model_dump() for answer in battle.answers],
    }


def _judged(verdict: Verdict, names: Sequence[str] | None, error: str | None) -> dict[str, Any]:
    """The answers with their names; without them, to be judged again."""
    answers = [
        {"id": id, "text": text, **({"version": names[place]} if names else {})}
        for place, (id, text) in enumerate(zip(verdict.candidates, verdict.texts, strict=True))
    ]
    return {
        "state": "judged" if names else "ready",
        "key": verdict.key,
        "question": verdict.question,
        "answers": answers,
        "ranks": verdict.ranks if names else None,
        "error": error,
    }
