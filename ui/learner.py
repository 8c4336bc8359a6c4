"""The learner tab: what it does now, how its rounds went, and the buttons to start and stop it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui.client import ApiError, Client
from ui.inert import inert
from ui.nodes import said
from ui.rounds import curves, state, table
from ui.visitor import current
from ui.watch import View, Watch
from ui.wire import MetricPoint, Round

Update = dict[Any, Any]
Learning = tuple[list[Round], Round | None, list[MetricPoint]]
"""The rounds, the one whose steps are drawn, and the figures of those."""

LOOKED_AT = 5
"""Rounds that are asked for their steps, newest first: some end before they take any."""


@dataclass(frozen=True)
class Parts:
    """The components of the tab that handlers change."""

    state: gr.HTML
    run: gr.Button
    pause: gr.Button
    cancel: gr.Button
    result: gr.HTML
    curves: gr.HTML
    rounds: gr.HTML
    buttons: gr.Row

    @property
    def shown(self) -> list[gr.Component]:
        """What changes when the tab is drawn."""
        still = (self.run, self.buttons)
        return [value for value in vars(self).values() if value not in still]


def layout() -> Parts:
    """The tab's components, inside the current gr.Tab."""
    state = inert(elem_id="rl-learner")
    with gr.Row(elem_classes="rl-buttons", visible=False) as buttons:
        run = gr.Button("Run a round now", variant="primary", scale=0, elem_id="rl-run")
        pause = gr.Button("Pause", scale=0, elem_id="rl-pause")
        cancel = gr.Button("Stop this round", scale=0, elem_id="rl-cancel", visible=False)
    result = inert(elem_id="rl-learner-result")
    drawn = inert(elem_id="rl-curves")
    rounds = inert(elem_id="rl-rounds")
    return Parts(state, run, pause, cancel, result, drawn, rounds, buttons)


class LearnerTab:
    """The tab's handlers."""

    def __init__(self, client: Client, watch: Watch, parts: Parts) -> None:
        self._client = client
        self._watch = watch
        self._parts = parts
        self._looking = asyncio.Lock()
        self._revision: str | None = None
        self._learning: Learning = ([], None, [])

    async def show(self, *, fresh: bool = False) -> Update:
        """Everything on the tab as it is now."""
        view = await self._watch.view(fresh=fresh)
        parts = self._parts
        if not current().may("read"):
            return {parts.state: state(view.learner), parts.pause: _turn(view)}
        try:
            rounds, drawn, metrics = await self._look(view, fresh)
        except ApiError:
            # The banner on top says what is wrong; what was shown stays.
            return {parts.state: state(view.learner)}
        running = any(one.state == "running" for one in rounds)
        return {
            parts.state: state(view.learner),
            parts.rounds: table(rounds),
            parts.curves: curves(rounds, drawn, metrics),
            parts.pause: _turn(view),
            parts.cancel: gr.update(visible=running),
        }

    async def _look(self, view: View, fresh: bool) -> Learning:
        """The rounds, and the figures of the one to draw: asked for once, however many pages show
        them.
        """
        async with self._looking:
            if fresh or self._revision != view.revision:
                rounds = await self._client.rounds()
                drawn, metrics = await self._newest_steps(rounds)
                self._learning, self._revision = (rounds, drawn, metrics), view.revision
            return self._learning

    async def _newest_steps(
        self, rounds: Sequence[Round]
    ) -> tuple[Round | None, list[MetricPoint]]:
        """The round that runs, before it has taken any step too, else the newest that took some."""
        for one in [one for one in rounds if one.state != "queued"][:LOOKED_AT]:
            metrics = await self._client.metrics(one.id)
            if metrics or one.state == "running":
                return one, metrics
        return None, []

    async def run(self, person: str | None) -> Update:
        async def start() -> str:
            started = await self._client.start_round(person)
            return f"Round {started.id} is asked for."

        return await self._do(start)

    async def pause(self, person: str | None) -> Update:
        async def turn() -> str:
            if _paused(await self._watch.view(fresh=True)):
                await self._client.resume(person)
                return "The learner goes on."
            await self._client.pause(person)
            return "The learner pauses: a round that runs ends, and no other starts."

        return await self._do(turn)

    async def cancel(self, person: str | None) -> Update:
        async def stop() -> str:
            running = [one for one in await self._client.rounds() if one.state == "running"]
            for one in running:
                await self._client.cancel_round(one.id, person)
            return f"Round {running[0].id} stops." if running else "No round is running."

        return await self._do(stop)

    async def _do(self, act: Callable[[], Awaitable[str]]) -> Update:
        try:
            result = said(await act())
        except ApiError as error:
            return {self._parts.result: said(str(error), wrong=True)}
        return {**await self.show(fresh=True), self._parts.result: result}


def _turn(view: View) -> Update:
    """The button that pauses or goes on."""
    return gr.update(value="Resume" if _paused(view) else "Pause")


def _paused(view: View) -> bool:
    return view.learner is not None and view.learner.paused
