"""The versions tab: what there is, how it came about, what is on trial, and who may answer next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui import battle
from ui.client import ApiError, Client
from ui.inert import inert
from ui.nodes import said
from ui.trial import trial_panel
from ui.version_calls import VersionCalls
from ui.version_cards import cards
from ui.visitor import current
from ui.watch import Watch
from ui.wire import Version

Update = dict[Any, Any]

BUTTONS = {
    "promote": "Promote",
    "canary": "Try on some people",
    "reject": "Reject",
    "pin": "Pin the live one",
    "unpin": "Unpin it",
    "readmit": "Readmit its rankings",
}
"""By the end of the route."""

OF_THE_LIVE = ("pin", "unpin")


@dataclass(frozen=True)
class Parts:
    """The components of the tab that handlers change."""

    trial: gr.HTML
    version: gr.Dropdown
    reason: gr.Textbox
    buttons: dict[str, gr.Button]
    roll_back: gr.Button
    quarantine: gr.Checkbox
    result: gr.HTML
    arena: battle.Parts
    cards: gr.HTML
    decisions: gr.Column

    @property
    def drawn(self) -> list[gr.Component]:
        """What changes when the tab is drawn."""
        return [self.trial, self.version, self.cards, *self.arena.shown]

    @property
    def decided(self) -> list[gr.Component]:
        """What changes with a decision."""
        return [*self.drawn, self.reason, self.result]


def layout() -> Parts:
    """The tab's components, inside the current gr.Tab."""
    trial = inert(elem_id="rl-trial")
    with gr.Column(elem_classes="rl-decide", visible=False) as decisions:
        with gr.Row():
            version = gr.Dropdown([], label="Version", elem_id="rl-version", min_width=120, scale=1)
            reason = gr.Textbox(
                label="Reason (kept on record)",
                placeholder="Why?",
                max_lines=1,
                max_length=500,
                elem_id="rl-reason",
                min_width=240,
                scale=4,
            )
        with gr.Row(elem_classes="rl-buttons"):
            buttons = {what: _button(what) for what in BUTTONS}
        with gr.Row(elem_classes="rl-buttons"):
            roll_back = gr.Button("Roll back to the previous", scale=0, elem_id="rl-rollback")
            quarantine = gr.Checkbox(
                label="and learn nothing from rankings of its answers", elem_id="rl-quarantine"
            )
        result = inert(elem_id="rl-versions-result")
    arena = battle.layout()
    listed = inert(elem_id="rl-versions")
    return Parts(
        trial, version, reason, buttons, roll_back, quarantine, result, arena, listed, decisions
    )


def _button(what: str) -> gr.Button:
    return gr.Button(
        BUTTONS[what],
        variant="primary" if what == "promote" else "secondary",
        scale=0,
        elem_id=f"rl-{what}",
    )


class VersionsTab:
    """The tab's handlers."""

    def __init__(self, client: Client, watch: Watch, parts: Parts) -> None:
        self._client = client
        self._calls = VersionCalls(client)
        self._watch = watch
        self._parts = parts
        self.arena = battle.Arena(client, parts.arena)

    async def show(
        self,
        person: str | None,
        chosen: str | None,
        one: str | None = None,
        other: str | None = None,
    ) -> Update:
        """The trial, the comparison, and the versions, newest first, with how many of each one's
        rankings are the person's; to whoever may not read what others did, the versions alone.
        """
        try:
            versions = await self._client.versions(person)
            if not current().may("read"):
                return {self._parts.cards: cards(versions)}
            rounds, trial = await asyncio.gather(self._client.rounds(), self._calls.trial())
            compared = await self.arena.show(versions, one, other)
        except ApiError:
            # The banner on top says what is wrong; what was shown stays.
            return {self._parts.cards: gr.skip()}
        others = [version.id for version in versions if not version.live]
        gate = {one.version: one.reasons for one in rounds if one.version}
        return {
            self._parts.trial: trial_panel(trial),
            self._parts.cards: cards(versions, gate),
            self._parts.version: gr.update(
                choices=others, value=chosen if chosen in others else None
            ),
            **compared,
        }

    async def decide(self, what: str, id: str | None, reason: str, person: str | None) -> Update:
        """What a button of BUTTONS says, of the version that is chosen or of the live one."""
        if what in OF_THE_LIVE:
            live = (await self._watch.view(fresh=True)).live
            id = live.id if live else None
        if not id:
            return self._refuse("Choose the version first.")

        async def act() -> str:
            return _done(await self._calls.decide(id, what, reason, person), what)

        return await self._do(act, reason, person)

    async def roll_back(self, reason: str, quarantine: bool, person: str | None) -> Update:
        async def act() -> str:
            return await self._calls.roll_back(reason, person, quarantine=quarantine)

        return await self._do(act, reason, person)

    async def _do(
        self, act: Callable[[], Awaitable[str]], reason: str, person: str | None
    ) -> Update:
        if not reason.strip():
            return self._refuse("Say why: the reason is kept on record.")
        try:
            done = await act()
        except ApiError as error:
            return self._refuse(str(error))
        await self._watch.view(fresh=True)
        return {
            **await self.show(person, None),
            self._parts.result: said(done),
            self._parts.reason: "",
        }

    def _refuse(self, why: str) -> Update:
        return {self._parts.result: said(why, wrong=True)}


def _done(version: Version, what: str) -> str:
    if what == "readmit":
        return f"What was said of {version.id} is learned from again."
    if what in OF_THE_LIVE:
        return f"{version.id} is {'pinned' if version.pinned_by else 'no longer pinned'}."
    return f"{version.id} is {'live' if version.live else version.state} now."
