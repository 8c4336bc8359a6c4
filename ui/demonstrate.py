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

MOVE = """(moved, text) => {
  if (!moved || text === moved.was) return moved ? moved.now : text;
  if (text.startsWith(moved.was)) return moved.now + text.slice(moved.was.length);
  const before = moved.now.endsWith(moved.was) ? moved.now.length - moved.was.length : 0;
  return moved.now.slice(0, before) + text;
}"""
"""What a click did to the box's text is done in the browser, to what stands there by then: whatever
was typed while the click was on its way stays.
"""

TYPED = """(typed, text) => {
  if (window.rankloopTyped) return text;
  window.rankloopTyped = true;
  return (typed || '') + text;
}"""
"""What was being typed when the page was last open, once, before anything is typed now."""


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
        shown = [kept.draft, kept.moved, p.log, p.box, p.result]
        asked = p.suggest.click(self.ask, at, shown, **short)
        for clicked in (
            p.add.click(self.add, at, shown, **short),
            p.back.click(self.take_back, at, shown, **short),
            p.clear.click(self.clear, at[:1], [*shown, p.system], **short),
            p.save.click(self.save, [*at, person], shown, **short),
            asked,
            asked.success(self.suggest, [kept.draft, p.system, person], shown, **quiet),
        ):
            clicked.success(None, [kept.moved, p.box], [p.box], js=MOVE, **short)
        p.box.change(None, [p.box], [kept.typed], js=SAME, **short)
        # What is in a tab is there once it is opened; from then on the page itself knows best.
        opened.select(None, [kept.typed, p.box], [p.box], js=TYPED, **short)
        self.known = gr.State(False)
        at_first = [kept.draft, self.known]
        opened.select(self.restore, at_first, [p.log, p.box, p.system, self.known], **short)

    async def restore(self, stored: Any, known: bool) -> Update:
        """The draft as this browser had it when the page was last open; once."""
        if known:
            return {self.known: True}
        p, draft = self.parts, Draft.recall(stored)
        return {
            self.known: True,
            p.log: drawn(draft),
            p.box: gr.update(label=TURNS[draft.answering]),
            p.system: draft.system or gr.skip(),
        }

    async def add(self, text: str, stored: Any, system: str | None) -> Update:
        """One turn more; then the other side speaks."""
        draft = _at(stored, system)
        if not text.strip():
            return self._note(f"Write first what {TURNS[draft.answering].lower()}.")
        draft.add(text)
        return self._shown(draft, text)

    async def take_back(self, text: str, stored: Any, system: str | None) -> Update:
        """The last turn goes back into the box, before what is being written."""
        draft = _at(stored, system)
        taken = draft.take_back()
        return self._shown(draft, text, "\n".join(filter(None, (taken, text))))

    async def clear(self, text: str) -> Update:
        """An empty draft."""
        return {**self._shown(Draft(), text), self.parts.system: ""}

    async def ask(self, text: str, stored: Any, system: str | None) -> Update:
        """What was written is what the model is to answer."""
        draft = _at(stored, system)
        if draft.answering:
            return self._shown(draft, text, text)
        draft.add(text)
        if not draft.answering:
            return self._note("Write first what a person says: that is what is answered.")
        return self._shown(draft, text)

    async def suggest(
        self, stored: Any, system: str | None, person: str | None
    ) -> AsyncIterator[Update]:
        """The model's answer, which comes into the box when it is complete, to be made better."""
        draft = _at(stored, system)
        if not draft.answering:
            yield {self.kept.moved: None}
            return
        answers = Answers(
            self._client.chat(draft.messages(), person=person, conversation=draft.key), 1
        )
        try:
            async for _ in answers.frames():
                yield {self.parts.log: drawn(draft, answers.answers[0].text)}
        except ApiError as error:
            failed = {self.kept.moved: None, self.parts.log: drawn(draft)}
            yield {**failed, self.parts.result: said(str(error), wrong=True)}
            return
        draft.suggest(answers.answers[0].candidate)
        yield self._shown(draft, "", answers.answers[0].text)

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
            return {**self._shown(draft, text), self.parts.result: said(kept, wrong=True)}
        told = f"Recorded. {waiting} wait to be learned from."
        return {**self._shown(Draft(system=draft.system), text), self.parts.result: said(told)}

    def _shown(self, draft: Draft, was: str, now: str = "") -> Update:
        """The draft; the box's text goes from what it `was` at the click to what it is `now`."""
        p = self.parts
        return {
            self.kept.draft: draft.keep(),
            self.kept.moved: {"was": was, "now": now},
            p.log: drawn(draft),
            p.box: gr.update(label=TURNS[draft.answering]),
            p.result: [],
        }

    def _note(self, sentence: str) -> Update:
        """The box stays as it is."""
        return {self.kept.moved: None, self.parts.result: said(sentence)}


def _at(stored: Any, system: str | None) -> Draft:
    draft = Draft.recall(stored)
    draft.system = (system or "").strip()
    return draft
