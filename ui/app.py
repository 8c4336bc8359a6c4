"""Puts the page together: the tabs under one header, which event calls which handler, and the app.

Every listener is private, so that the page is not an API beside the API.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import gradio as gr
from fastapi import FastAPI
from starlette.responses import Response

from ui import (
    battle,
    chat,
    chat_parts,
    data,
    demonstrate,
    demonstrate_parts,
    label,
    learner,
    progress,
    sign_in,
    versions,
)
from ui.access import Settings, is_local, is_shut, server_url
from ui.client import Client
from ui.confine import Confined
from ui.consent import ConsentBox
from ui.doors import Doors
from ui.gate import Gate
from ui.header import header, strip
from ui.inert import ASSETS, asset
from ui.rights import Rights
from ui.sign_in_client import SignInClient
from ui.theme import theme
from ui.visitor import current
from ui.watch import Watch

Update = dict[Any, Any]
# Gradio looks for queued events a thousand times a second, which alone is 4 % of a core.
QUEUE_LOOK_S = 0.02
# A private listener that shows no spinner over what people read.
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
# Short ones skip the queue: one small request instead of an event stream.
SHORT: dict[str, Any] = {**QUIET, "queue": False}


def create_app(settings: Settings) -> FastAPI:
    """The page at `/`, what is downloaded from it at `/take/`, where one signs in, and `/livez`."""
    client = Client(server_url(settings))
    sessions = SignInClient(client, shut=is_shut(settings))
    public_url = settings.ui.public_url

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await client.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Gate, sessions=sessions, is_local=is_local(settings), public_url=public_url)
    app.add_middleware(Doors)
    app.add_middleware(Confined)
    app.include_router(sign_in.routes(sessions, public_url))

    @app.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "ok"}

    page = Page(client)

    @app.get("/take/{ticket}")
    async def take(ticket: str) -> Response:
        return await page.data.downloads.take(ticket)

    mounted: FastAPI = gr.mount_gradio_app(
        app,
        page.blocks,
        path="/",
        theme=theme(),
        head=f"<script>{asset('whose.js')}{asset('queue.js')}{asset('page.js')}</script>",
        favicon_path=str(ASSETS / "favicon.png"),
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
    )
    return mounted


class Page:
    """The components, and the events between them."""

    def __init__(self, client: Client) -> None:
        self.watch = Watch(client)
        with gr.Blocks(title="Rankloop", analytics_enabled=False) as self.blocks:
            self.top = header(self.watch)
            self.tab = gr.State("chat")
            drafts = demonstrate_parts.kept()
            with gr.Tabs(elem_id="rl-tabs") as tabs:
                with gr.Tab("Chat", id="chat") as chat_tab:
                    self.chatting = chat_parts.layout()
                with gr.Tab("Label", id="label", visible=False) as label_tab:
                    self.label = label.LabelTab(client)
                with gr.Tab("Demonstrate", id="demonstrate", visible=False) as demonstrate_tab:
                    self.demonstrate = demonstrate.DemonstrateTab(client, drafts)
                with gr.Tab("Data", id="data", visible=False) as data_tab:
                    self.data = data.DataTab(client, self.watch)
                with gr.Tab("Learner", id="learner", visible=False) as learner_tab:
                    self.learning = learner.layout()
                with gr.Tab("Progress", id="progress", visible=False) as progress_tab:
                    self.progress = progress.ProgressTab(client)
                with gr.Tab("Versions", id="versions") as versions_tab:
                    self.listing = versions.layout()
            self.chat = chat.Chat(client, self.watch, self.chatting)
            c = self.chatting
            self.consent = ConsentBox(client, c.consent, c.consent_text, gr.State())
            self.learner = learner.LearnerTab(client, self.watch, self.learning)
            self.versions = versions.VersionsTab(client, self.watch, self.listing)
            self._wire_chat()
            self._wire_consent()
            self._wire_ranking()
            self._wire_learner()
            self._wire_versions()
            self._wire_data(data_tab)
            by_name = {
                "chat": chat_tab,
                "label": label_tab,
                "demonstrate": demonstrate_tab,
                "data": data_tab,
                "learner": learner_tab,
                "progress": progress_tab,
                "versions": versions_tab,
            }
            # Ahead of the others, which ask the server first: what was typed is there at once.
            self.demonstrate.wire(demonstrate_tab, self.chatting.person, QUIET, SHORT)
            self._wire_pulse(by_name)
            self._wire_rights(tabs, by_name)
            label_tab.select(
                self.label.look, [self.chatting.person], [self.label.parts.desk], **SHORT
            )
        # Streams of many people run beside each other; the server bounds them, not the page.
        self.blocks.queue(default_concurrency_limit=None, api_open=False)
        self.blocks._queue.sleep_when_free = QUEUE_LOOK_S

    def _wire_chat(self) -> None:
        c = self.chatting
        said = [c.box, c.conversation, c.count, c.temperature, c.person, c.system, c.longest]
        drawn = [c.conversation, c.transcript, c.odds, c.ranker]
        controls = [c.box, c.send, c.stop, c.again, c.why]
        for event in (c.box.submit, c.send.click):
            event(self.chat.send, said, [*drawn, *controls], **QUIET)
        c.transcript.action(self.chat.on_action, said, [*drawn, *controls], **QUIET)
        c.stop.click(self.chat.stop, [c.conversation], None, **SHORT)
        c.again.click(self.chat.start_over, [c.conversation], drawn, **SHORT)
        c.why.submit(self.chat.explain, [c.why, c.conversation, c.person], [*drawn, c.why], **SHORT)
        c.earlier.click(self.chat.history, [c.person], [c.past], **SHORT)
        asked = [c.conversation, c.person]
        c.past.action(self.chat.on_past, asked, [*drawn, c.past, c.system], **SHORT)
        c.news.action(lambda: [], None, [c.news], **SHORT)
        c.odds.action(lambda: [], None, [c.odds], **SHORT)
        self.blocks.load(self.chat.restore, [c.conversation], drawn, **SHORT)
        self.blocks.load(None, [c.remembered], [c.person], js="(name) => name || ''", **SHORT)
        c.person.change(None, [c.person], [c.remembered], js="(name) => name", **SHORT)

    def _wire_rights(self, tabs: gr.Tabs, by_name: dict[str, gr.Tab]) -> None:
        parts: dict[tuple[str, ...], list[Any]] = {
            ("operate",): [self.learning.buttons, self.listing.decisions],
            ("admin",): [self.data.parts.exchange],
            ("rank", "read"): [self.listing.arena.whole],
        }
        chatting = self.chatting
        rights = Rights(tabs, by_name, parts, [chatting.agreement], [chatting.person])
        self.blocks.load(rights.show, None, rights.shown, **SHORT)

    def _wire_consent(self) -> None:
        c, shown = self.chatting, self.consent.shown
        self.blocks.load(self.consent.show, [c.person], shown, **SHORT)
        c.person.change(self.consent.show, [c.person], shown, **SHORT)
        given = [c.consent, self.consent.version, c.person]
        c.consent.input(self.consent.change, given, shown, **SHORT)

    def _wire_ranking(self) -> None:
        c = self.chatting
        drawn = [c.conversation, c.transcript, c.odds, c.ranker]
        ranked = c.ranker.submit(
            self.chat.rank, [c.conversation, c.person], [*drawn, c.asked], **QUIET
        )
        skipped = c.ranker.skip(self.chat.skip, [c.conversation], drawn, **SHORT)
        ranked.then(self._fresh_strip, None, [self.top], **SHORT)
        for event in (ranked, skipped):
            event.then(None, None, None, js=chat.FOCUS_BOX, **SHORT)

    def _wire_learner(self) -> None:
        parts = self.learning
        for button, act in (
            (parts.run, self.learner.run),
            (parts.pause, self.learner.pause),
            (parts.cancel, self.learner.cancel),
        ):
            clicked = button.click(act, [self.chatting.person], parts.shown, **SHORT)
            clicked.then(self._fresh_strip, None, [self.top], **SHORT)

    def _wire_versions(self) -> None:
        parts, person = self.listing, self.chatting.person
        for what, button in parts.buttons.items():
            clicked = button.click(
                partial(self.versions.decide, what),
                [parts.version, parts.reason, person],
                parts.decided,
                **SHORT,
            )
            clicked.then(self._fresh_strip, None, [self.top], **SHORT)
        given = [parts.reason, parts.quarantine, person]
        clicked = parts.roll_back.click(self.versions.roll_back, given, parts.decided, **SHORT)
        clicked.then(self._fresh_strip, None, [self.top], **SHORT)
        self._wire_battle(parts.arena)

    def _wire_battle(self, parts: battle.Parts) -> None:
        person, arena = self.chatting.person, self.versions.arena
        asked = [parts.one, parts.other, parts.prompt, person]
        parts.ask.click(arena.ask, asked, [parts.arena], **QUIET)
        parts.arena.again(arena.ask, asked, [parts.arena], **QUIET)
        parts.arena.judge(arena.judge, [person], [parts.arena, parts.compared], **QUIET)

    def _wire_data(self, opened: gr.Tab) -> None:
        exchange = self.data.parts.exchange
        opened.select(self.data.look, [self.chatting.person], [exchange], **SHORT)
        exchange.brought(self.data.show, None, self.data.shown, trigger_mode="always_last", **SHORT)

    def _wire_pulse(self, tabs: dict[str, gr.Tab]) -> None:
        c = self.chatting
        shown = [self.top, *self.learning.shown, self.progress.page, *self.listing.drawn]
        shown += self.data.shown
        arena = self.listing.arena
        asked = [c.person, self.listing.version, arena.one, arena.other]
        for name, tab in tabs.items():
            tab.select(lambda name=name: name, None, [self.tab], **SHORT)
            tab.select(partial(self._refresh, name), asked, shown, **SHORT)
        # A refresh while the one before is still at work waits for it; by default it is dropped.
        after: dict[str, Any] = {"trigger_mode": "always_last"}
        self.top.refresh(self._refresh, [self.tab, *asked], shown, **after, **SHORT)
        self.top.swapped(
            self.chat.announce, [c.seen, c.asked, c.person], [c.seen, c.news], **after, **QUIET
        )

    async def _refresh(
        self, tab: str, person: str, chosen: str | None, one: str | None, other: str | None
    ) -> Update:
        """The header, and the tab that is looked at."""
        update: Update = {self.top: strip(await self.watch.view(), current())}
        if tab == "learner":
            update |= await self.learner.show()
        if tab == "data":
            update |= await self.data.show()
        if tab == "progress":
            update |= await self.progress.show()
        if tab == "versions":
            update |= await self.versions.show(person, chosen, one, other)
        return update

    async def _fresh_strip(self) -> dict[str, Any]:
        return strip(await self.watch.view(fresh=True), current())
