"""The data tab: files in and out, who ranks and how far they are trusted, and prompt sets.

A file comes in as every other call of the page does. The browser reads it in pieces that end with a
line (assets/data.js) and gives each to a function of its component, which Gradio calls for whoever
may use the page and for nobody else; this process sends it on to the API as that person. So there
is no upload route to guard, nothing is written to a disk, and no file is held whole.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from typing import Any

import gradio as gr

from ui.client import ApiError, Client
from ui.data_client import PROMPTS, DataClient
from ui.data_parts import FORMATS, Parts, layout
from ui.data_wire import Imported, Piece, PromptSet, Raters, Ticket, Wanted
from ui.downloads import Downloads
from ui.label import called
from ui.nodes import said
from ui.prompt_sets import sets
from ui.raters import people
from ui.visitor import current
from ui.watch import Watch

Update = dict[Any, Any]
Answer = dict[str, Any]

FRESH_S = 10.0
"""Seconds that what is known of raters is shown again: it is reckoned from all rankings."""


class DataTab:
    """The tab's components, inside the current gr.Tab, and its handlers."""

    def __init__(self, client: Client, watch: Watch) -> None:
        self._api = DataClient(client)
        self._watch = watch
        self.downloads = Downloads()
        self._looking = asyncio.Lock()
        self._known: tuple[Raters, list[PromptSet]] = (Raters(), [])
        self._looked_at = self._brought_at = float("-inf")
        self.parts: Parts = layout(
            [
                called("data_format", Piece, self.format_of),
                called("data_bring", Piece, self.bring),
                called("data_ticket", Wanted, self.ticket),
                called("data_taken", Ticket, self.taken),
            ]
        )

    @property
    def shown(self) -> list[gr.HTML]:
        """What changes when the tab is drawn."""
        return [self.parts.people, self.parts.sets]

    def look(self, person: str | None) -> Answer:
        """The exchange's value when the tab is opened."""
        return {"person": person or ""}

    async def show(self) -> Update:
        """Raters and prompt sets as they are, or were a moment ago, for whoever may see them."""
        if not current().may("read"):
            return {self.parts.people: [], self.parts.sets: []}
        try:
            raters, found = await self._look()
        except ApiError as error:
            return {self.parts.people: said(str(error), wrong=True)}
        learner = (await self._watch.view()).learner
        alarm = learner.alarm if learner else None
        return {self.parts.people: people(raters, alarm), self.parts.sets: sets(found)}

    async def _look(self) -> tuple[Raters, list[PromptSet]]:
        async with self._looking:
            now = time.monotonic()
            if self._looked_at <= max(now - FRESH_S, self._brought_at):
                self._known = await self._api.raters(), await self._api.prompt_sets()
                self._looked_at = now
            return self._known

    async def format_of(self, piece: Piece) -> Answer:
        return {"format": await self._api.format_of(_bytes(piece))}

    async def bring(self, piece: Piece) -> Answer:
        lines = _bytes(piece)
        try:
            if piece.format == PROMPTS:
                found = await self._api.bring_prompts(piece.set, lines, piece.person)
            else:
                found = await self._api.bring(piece.format, lines, piece.person)
        finally:
            # What was looked at while they came in is old.
            self._brought_at = time.monotonic()
        return _counted(found, lines)

    async def ticket(self, wanted: Wanted) -> Answer:
        if wanted.format not in FORMATS:
            return {"error": "Choose a format first."}
        name = f"{wanted.format}.jsonl"
        return {"ticket": self.downloads.issue(name, lambda: self._api.export(wanted.format))}

    async def taken(self, asked: Ticket) -> Answer:
        download = self.downloads.find(asked.ticket)
        if download is None:
            return {"state": "failed"}
        return {
            "state": download.state,
            "bytes": download.size,
            "lines": download.lines,
            "why": download.error,
        }


def _bytes(piece: Piece) -> bytes:
    try:
        return base64.b64decode(piece.lines, validate=True)
    except binascii.Error:
        raise ApiError("The page sent what is no piece of a file: load it again.") from None


def _counted(found: Imported, lines: bytes) -> Answer:
    """With how many lines of the file these were, blank ones included."""
    ended = lines.count(b"\n")
    return {**found.model_dump(), "lines": ended + (not lines.endswith(b"\n"))}
