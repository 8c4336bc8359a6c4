"""The demonstrate tab: write the ideal answer, begin from the model's, or play both sides."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from ui.client import ApiError, Client
from ui.demonstrate_parts import TURNS, Kept, drawn, layout
from ui.draft import Draft
from ui.nodes import said
from ui.streams import Answers

Update = dict[Any, Any]

SAME = "(text) => text"
"""What is typed is kept by the browser, without a request."""


class DemonstrateTab:
    """The tab's components, inside the current gr.Tab, and its handlers."""

    def __init__(self, client: Client, kept: Kept) -> None:
        self._client = client
        self.kept = kept
        self.parts = layout()

    def wire(
        self, opened: gr.Tab, person: gr.Textbox, quiet: dict[str, Any], short: dict[str, Any]
    ) -> None:
        """Which event calls which handler; `short` ones skip the queue."""
        p, kept = self.parts, self.kept
        at = [p.box, kept.draft, p.system]
        shown = [kept.draft, kept.typed, p.log, p.box, p.result]
        p.add.click(self.add, at, shown, **short)
        p.back.click(self.take_back, at, shown, **short)
        p.clear.click(self.clear, None, [*shown, p.system], **short)
        p.suggest.click(self.suggest, [*at, person], shown, **quiet)
        p.save.click(self.save, [*at, person], shown, **short)
        p.box.change(None, [p.box], [kept.typed], js=SAME, **short)
        # What is in a tab is there once it is opened; from then on the page itself knows best.
        known = gr.State(False)
        at_first = [kept.draft, kept.typed, known]
        opened.select(self.restore, at_first, [*shown, p.system, known], **short)
        self.known = known

    async def restore(self, stored: Any, typed: str | None, known: bool) -> Update:
        """The draft as this browser had it when the page was last open; once."""
        if known:
            return {self.known: True}
        draft = Draft.recall(stored)
        drawn_ = self._shown(draft, typed or "")
        return {**drawn_, self.parts.system: draft.system, self.known: True}

    async def add(self, text: str, stored: Any, system: str | None) -> Update:
        """One turn more; then the other side speaks."""
        draft = _at(stored, system)
        if not text.strip():
            return self._note(f"Write first what {TURNS[draft.answering].lower()}.")
        draft.add(text)
        return self._shown(draft)

    async def take_back(self, text: str, stored: Any, system: str | None) -> Update:
        """The last turn goes back into the box, before what is being written."""
        draft = _at(stored, system)
        taken = draft.take_back()
        return self._shown(draft, "\n".join(filter(None, (taken, text))))

    async def clear(self) -> Update:
        """An empty draft."""
        return {**self._shown(Draft()), self.parts.system: ""}

    async def suggest(
        self, text: str, stored: Any, system: str | None, person: str | None
    ) -> AsyncIterator[Update]:
        """The model's answer comes into the box, to be made better; what was written there is what
        it answers.
        """
        draft = _at(stored, system)
        if not draft.answering:
            draft.add(text)
        if not draft.answering:
            yield self._note("Write first what a person says: that is what is answered.")
            return
        answers = Answers(
            self._client.chat(draft.messages(), person=person, conversation=draft.key), 1
        )
        try:
            async for _ in answers.frames():
                yield self._shown(draft, answers.answers[0].text)
        except ApiError as error:
            yield {**self._shown(draft, text), self.parts.result: said(str(error), wrong=True)}
            return
        draft.suggest(answers.answers[0].candidate)
        yield self._shown(draft, answers.answers[0].text)

    async def save(self, text: str, stored: Any, system: str | None, person: str | None) -> Update:
        """Record it, what is in the box included, and begin anew."""
        draft = _at(stored, system)
        draft.add(text)
        if not draft.finished:
            return self._note("It ends with what a person says: write the answer to that first.")
        try:
            waiting = await self._client.demonstrate(
                draft.messages(), draft.candidate, person, draft.key
            )
        except ApiError as error:
            kept = f"{error} It is not recorded yet: save it again."
            return {**self._shown(draft), self.parts.result: said(kept, wrong=True)}
        told = f"Recorded. {waiting} wait to be learned from."
        return {**self._shown(Draft(system=draft.system)), self.parts.result: said(told)}

    def _shown(self, draft: Draft, text: str = "") -> Update:
        p = self.parts
        return {
            self.kept.draft: draft.keep(),
            self.kept.typed: text,
            p.log: drawn(draft),
            p.box: gr.update(value=text, label=TURNS[draft.answering]),
            p.result: [],
        }

    def _note(self, sentence: str) -> Update:
        return {self.parts.result: said(sentence)}


def _at(stored: Any, system: str | None) -> Draft:
    draft = Draft.recall(stored)
    draft.system = (system or "").strip()
    return draft
