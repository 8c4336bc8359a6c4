"""The versions tab: what there is, how it came about, and who may answer next."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui.client import ApiError, Client
from ui.inert import inert
from ui.nodes import Node, fragment, node, said
from ui.watch import Watch
from ui.wire import Version, VersionEvent
from ui.words import count, figure, label, moment

Update = dict[Any, Any]


@dataclass(frozen=True)
class Parts:
    """The components of the tab that handlers change."""

    list: gr.HTML
    version: gr.Dropdown
    reason: gr.Textbox
    promote: gr.Button
    reject: gr.Button
    roll_back: gr.Button
    result: gr.HTML


def layout() -> Parts:
    """The tab's components, inside the current gr.Tab."""
    with gr.Column(elem_classes="rl-decide"):
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
            promote = gr.Button("Promote", variant="primary", scale=0, elem_id="rl-promote")
            reject = gr.Button("Reject", scale=0, elem_id="rl-reject")
            roll_back = gr.Button("Roll back to the previous", scale=0, elem_id="rl-rollback")
        result = inert(elem_id="rl-versions-result")
    return Parts(
        list=inert(elem_id="rl-versions"),
        version=version,
        reason=reason,
        promote=promote,
        reject=reject,
        roll_back=roll_back,
        result=result,
    )


class VersionsTab:
    """The tab's handlers."""

    def __init__(self, client: Client, watch: Watch, parts: Parts) -> None:
        self._client = client
        self._watch = watch
        self._parts = parts

    async def show(self, person: str | None, chosen: str | None) -> Update:
        """The versions, newest first, with how many of each one's rankings are the person's."""
        try:
            versions = await self._client.versions(person)
        except ApiError:
            # The banner on top says what is wrong; what was shown stays.
            return {self._parts.list: gr.skip()}
        others = [version.id for version in versions if not version.live]
        return {
            self._parts.list: cards(versions),
            self._parts.version: gr.update(
                choices=others, value=chosen if chosen in others else None
            ),
        }

    async def promote(self, id: str | None, reason: str, person: str | None) -> Update:
        if not id:
            return self._refuse("Choose the version to promote.")
        return await self._decide(lambda: self._client.promote(id, reason, person), reason, person)

    async def reject(self, id: str | None, reason: str, person: str | None) -> Update:
        if not id:
            return self._refuse("Choose the version to reject.")
        return await self._decide(lambda: self._client.reject(id, reason, person), reason, person)

    async def roll_back(self, reason: str, person: str | None) -> Update:
        return await self._decide(lambda: self._client.roll_back(reason, person), reason, person)

    async def _decide(
        self, act: Callable[[], Awaitable[Version]], reason: str, person: str | None
    ) -> Update:
        if not reason.strip():
            return self._refuse("Say why: the reason is kept on record.")
        try:
            version = await act()
        except ApiError as error:
            return self._refuse(str(error))
        await self._watch.view(fresh=True)
        done = f"{version.id} is {'live' if version.live else version.state} now."
        return {
            **await self.show(person, None),
            self._parts.result: said(done),
            self._parts.reason: "",
        }

    def _refuse(self, why: str) -> Update:
        return {self._parts.result: said(why, wrong=True)}


def cards(versions: Sequence[Version]) -> list[Node]:
    """One card for each version."""
    if not versions:
        return fragment(node("p", "rl-note", "No version is known yet."))
    newest = sorted(versions, key=lambda version: version.created_at or 0.0, reverse=True)
    return fragment(
        node("ol", "rl-versions", *(_card(version) for version in newest), aria_label="Versions")
    )


def _card(version: Version) -> Node:
    state = "live" if version.live else version.state
    return node(
        "li",
        "rl-panel rl-version" + (" rl-live" if version.live else ""),
        node(
            "div",
            "rl-version-head",
            node("h2", "", version.id),
            node("span", f"rl-outcome rl-{state}", f"● {state}" if version.live else state),
            node("span", "rl-mark", "in memory") if version.resident else None,
        ),
        node("p", "rl-note", _origin(version)),
        node("p", "rl-wrong", version.problem) if version.problem else None,
        _figures(version) if version.figures else None,
        _events(version.events) if version.events else None,
    )


def _origin(version: Version) -> str:
    parts = [f"from {version.parent}" if version.parent else "the starting model"]
    if version.round is not None:
        parts.append(f"round {version.round}")
    learned = version.learned_from
    if learned.rankings:
        mine = f", {learned.yours} of them yours" if learned.yours else ""
        parts.append(f"learned from {count(learned.rankings, 'ranking')}{mine}")
    parts.append(moment(version.created_at))
    return " · ".join(part for part in parts if part)


def _figures(version: Version) -> Node:
    pairs: list[Node] = []
    for name, value in version.figures.items():
        if isinstance(value, int | float | str):
            pairs.append(
                node("div", "", node("dt", "", label(name)), node("dd", "", figure(value)))
            )
    return node("dl", "rl-figures", *pairs)


def _events(events: Sequence[VersionEvent]) -> Node:
    return node(
        "details",
        "rl-events",
        node("summary", "", f"{count(len(events), 'change')} of state, and why"),
        node("ol", "", *(_event(event) for event in events)),
    )


def _event(event: VersionEvent) -> Node:
    change = f"{event.from_} → {event.to}" if event.from_ else event.to
    return node(
        "li",
        "",
        node("span", "rl-strong", change),
        node("span", "rl-dim", f" {moment(event.at)} by {event.actor or 'nobody'}"),
        node("div", "", event.reason) if event.reason else None,
    )
