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

from ui import chat, chat_parts, demonstrate, demonstrate_parts, label, learner, versions
from ui.access import Settings, server_url, sign_in
from ui.client import Client
from ui.confine import Confined
from ui.consent import ConsentBox
from ui.header import header, strip, welcome
from ui.inert import ASSETS, asset
from ui.theme import theme
from ui.watch import Watch

Update = dict[Any, Any]
# Gradio looks for queued events a thousand times a second, which alone is 4 % of a core.
QUEUE_LOOK_S = 0.02
# A private listener that shows no spinner over what people read.
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
# Short ones skip the queue: one small request instead of an event stream.
SHORT: dict[str, Any] = {**QUIET, "queue": False}


def create_app(settings: Settings) -> FastAPI:
    """The page at `/`, and `/livez`."""
    client = Client(server_url(settings), settings.key)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await client.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Confined)

    @app.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "ok"}

    mounted: FastAPI = gr.mount_gradio_app(
        app,
        Page(client, has_key=settings.key is not None).blocks,
        path="/",
        theme=theme(),
        head=f"<script>{asset('page.js')}</script>",
        favicon_path=str(ASSETS / "favicon.png"),
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        auth=sign_in(settings.key),
        auth_message="Sign in with any name; the password is the key that Rankloop runs with.",
    )
    return mounted


class Page:
    """The components, and the events between them."""

    def __init__(self, client: Client, *, has_key: bool) -> None:
        self.watch = Watch(client)
        hello = welcome(has_key)
        with gr.Blocks(title="Rankloop", analytics_enabled=False) as self.blocks:
            self.top = header(self.watch)
            self.tab = gr.State("chat")
            drafts = demonstrate_parts.kept()
            with gr.Tabs(elem_id="rl-tabs"):
                with gr.Tab("Chat", id="chat") as chat_tab:
                    self.chatting = chat_parts.layout(hello, has_key=has_key)
                with gr.Tab("Label", id="label") as label_tab:
                    self.label = label.LabelTab(client)
                with gr.Tab("Demonstrate", id="demonstrate") as demonstrate_tab:
                    self.demonstrate = demonstrate.DemonstrateTab(client, drafts)
                with gr.Tab("Learner", id="learner") as learner_tab:
                    self.learning = learner.layout()
                with gr.Tab("Versions", id="versions") as versions_tab:
                    self.listing = versions.layout()
            self.chat = chat.Chat(client, self.watch, self.chatting, hello)
            c = self.chatting
            self.consent = ConsentBox(client, c.consent, c.consent_text, gr.State())
            self.learner = learner.LearnerTab(client, self.watch, self.learning)
            self.versions = versions.VersionsTab(client, self.watch, self.listing)
            self._wire_chat()
            self._wire_consent()
            self._wire_ranking()
            self._wire_learner()
            self._wire_versions()
            self._wire_pulse(
                {
                    "chat": chat_tab,
                    "label": label_tab,
                    "demonstrate": demonstrate_tab,
                    "learner": learner_tab,
                    "versions": versions_tab,
                }
            )
            self.demonstrate.wire(demonstrate_tab, self.chatting.person, QUIET, SHORT)
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
        parts = self.listing
        shown = [parts.list, parts.version, parts.reason, parts.result]
        person, chosen = self.chatting.person, [parts.version, parts.reason]
        for clicked in (
            parts.promote.click(self.versions.promote, [*chosen, person], shown, **SHORT),
            parts.reject.click(self.versions.reject, [*chosen, person], shown, **SHORT),
            parts.roll_back.click(self.versions.roll_back, [parts.reason, person], shown, **SHORT),
        ):
            clicked.then(self._fresh_strip, None, [self.top], **SHORT)

    def _wire_pulse(self, tabs: dict[str, gr.Tab]) -> None:
        c = self.chatting
        shown = [self.top, *self.learning.shown, self.listing.list, self.listing.version]
        asked = [c.person, self.listing.version]
        for name, tab in tabs.items():
            tab.select(lambda name=name: name, None, [self.tab], **SHORT)
            tab.select(partial(self._refresh, name), asked, shown, **SHORT)
        # A refresh while the one before is still at work waits for it; by default it is dropped.
        after: dict[str, Any] = {"trigger_mode": "always_last"}
        self.top.refresh(self._refresh, [self.tab, *asked], shown, **after, **SHORT)
        told = [c.seen, c.news]
        self.top.refresh(self.chat.announce, [c.seen, c.asked, c.person], told, **after, **QUIET)

    async def _refresh(self, tab: str, person: str, chosen: str | None) -> Update:
        """The header, and the tab that is looked at."""
        update: Update = {self.top: strip(await self.watch.view())}
        if tab == "learner":
            update |= await self.learner.show()
        if tab == "versions":
            update |= await self.versions.show(person, chosen)
        return update

    async def _fresh_strip(self) -> dict[str, Any]:
        return strip(await self.watch.view(fresh=True))
