"""The learner tab: what it does now, how its rounds went, and the buttons to start and stop it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui.client import ApiError, Client
from ui.inert import inert
from ui.nodes import said
from ui.rounds import accuracies, curve, state, table
from ui.watch import View, Watch
from ui.wire import Round

Update = dict[Any, Any]
Plot = dict[str, Any]

FEW_STEPS = 20
"""So many have a label each on a plot's axis."""


@dataclass(frozen=True)
class Parts:
    """The components of the tab that handlers change."""

    state: gr.HTML
    run: gr.Button
    pause: gr.Button
    cancel: gr.Button
    result: gr.HTML
    accuracy: gr.LinePlot
    reward: gr.LinePlot
    kl: gr.LinePlot
    rounds: gr.HTML

    @property
    def shown(self) -> list[gr.Component]:
        """What changes when the tab is drawn."""
        return [value for value in vars(self).values() if value is not self.run]


def layout() -> Parts:
    """The tab's components, inside the current gr.Tab."""
    state = inert(elem_id="rl-learner")
    with gr.Row(elem_classes="rl-buttons"):
        run = gr.Button("Run a round now", variant="primary", scale=0, elem_id="rl-run")
        pause = gr.Button("Pause", scale=0, elem_id="rl-pause")
        cancel = gr.Button("Stop this round", scale=0, elem_id="rl-cancel", visible=False)
    result = inert(elem_id="rl-learner-result")
    with gr.Row(elem_classes="rl-plots"):
        accuracy = _plot("round", "accuracy", "Reward accuracy by round, from chance", y_lim=[0, 1])
        reward = _plot("step", "reward", "Reward, by step of the last round")
        kl = _plot("step", "KL", "KL to v0, by step of the last round")
    rounds = inert(elem_id="rl-rounds")
    return Parts(state, run, pause, cancel, result, accuracy, reward, kl, rounds)


def _plot(x: str, y: str, title: str, y_lim: Any = None) -> gr.LinePlot:
    return gr.LinePlot(
        series(x, y, []), x=x, y=y, title=title, y_lim=y_lim, height=220, min_width=280, buttons=[]
    )


def series(x: str, y: str, points: Sequence[tuple[float | str, float]]) -> Plot:
    """What gr.LinePlot draws, in its own form, which needs no data frame."""
    # A round is a name: between two of them lies nothing. So is each of a few steps.
    named = x == "round" or len(points) <= FEW_STEPS
    return {
        "columns": [x, y],
        "data": [list(point) for point in points],
        "datatypes": {x: "nominal" if named else "quantitative", y: "quantitative"},
        "mark": "line",
    }


def _redrawn(x: str, y: str, points: Sequence[tuple[float | str, float]]) -> Any:
    """New points and their range, zero included. Without a new range the plot keeps the margin that
    it had when it was empty, and cuts the numbers that stand in it.
    """
    values = [0.0, *(value for _, value in points)]
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or 1.0
    y_lim = [low - margin if low < 0 else 0.0, high + margin]
    return gr.update(value=series(x, y, points), y_lim=y_lim)


class LearnerTab:
    """The tab's handlers."""

    def __init__(self, client: Client, watch: Watch, parts: Parts) -> None:
        self._client = client
        self._watch = watch
        self._parts = parts

    async def show(self, *, fresh: bool = False) -> Update:
        """Everything on the tab as it is now."""
        view = await self._watch.view(fresh=fresh)
        parts = self._parts
        try:
            rounds = await self._client.rounds()
            drawn = _worth_drawing(rounds)
            metrics = await self._client.metrics(drawn.id) if drawn else []
        except ApiError:
            # The banner on top says what is wrong; what was shown stays.
            return {parts.state: state(view.learner)}
        running = any(one.state == "running" for one in rounds)
        return {
            parts.state: state(view.learner),
            parts.rounds: table(rounds),
            parts.accuracy: series("round", "accuracy", accuracies(rounds)),
            parts.reward: _redrawn("step", "reward", curve(metrics, "reward")),
            parts.kl: _redrawn("step", "KL", curve(metrics, "kl")),
            parts.pause: gr.update(value="Resume" if _paused(view) else "Pause"),
            parts.cancel: gr.update(visible=running),
        }

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


def _worth_drawing(rounds: Sequence[Round]) -> Round | None:
    """The newest round that went on to PPO, or may still: one that fine-tunes does not."""
    going = (one for one in rounds if one.outcome != "needs_feedback" and not one.demonstrations)
    return next(going, None)


def _paused(view: View) -> bool:
    return view.learner is not None and view.learner.paused
