"""Whether a person allows that what they say is learned from: asked where they chat."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.client import ApiError, Client
from ui.nodes import said
from ui.wire import Consent

Update = dict[Any, Any]


class ConsentBox:
    """A box to tick, below it the text that is agreed to, or what went wrong, and which version of
    the text that is: a yes is to what was read.
    """

    def __init__(self, client: Client, box: gr.Checkbox, note: gr.HTML, version: gr.State) -> None:
        self._client = client
        self._box = box
        self._note = note
        self.version = version

    @property
    def shown(self) -> list[gr.Checkbox | gr.HTML | gr.State]:
        """What the handlers change."""
        return [self._box, self._note, self.version]

    async def show(self, person: str | None) -> Update:
        """As it stands on record."""
        try:
            return self._told(await self._client.consent(person))
        except ApiError as error:
            return {self._box: gr.skip(), self._note: said(str(error), wrong=True)}

    async def change(self, given: bool, version: str | None, person: str | None) -> Update:
        """Record the person's word; where that fails the box goes back to what is on record."""
        try:
            return self._told(await self._client.say_consent(given, version, person))
        except ApiError as error:
            kept = f"{error} Your choice is not recorded."
            return {self._box: not given, self._note: said(kept, wrong=True)}

    def _told(self, told: Consent) -> Update:
        return {
            self._box: told.holds,
            self._note: said(told.text),
            self.version: told.text_version,
        }
