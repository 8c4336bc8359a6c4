"""The chat tab: ask, watch the answers come, rank them, go on with the best one.

Every handler takes what the browser remembers and gives it back changed; the process keeps only the
answers being written at the moment, so that they can be stopped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from ui.asking import How
from ui.chat_parts import Parts
from ui.client import ApiError, Client
from ui.header import welcome
from ui.history import branch, past, reopened
from ui.memory import Asked, Comparison, Conversation, Seen
from ui.news import news, retell
from ui.nodes import Node, said
from ui.odds import odds
from ui.ranker import best, shown, verdict_of
from ui.streams import Answers
from ui.thumbs import Thumb, explain, give
from ui.transcript import transcript
from ui.visitor import current
from ui.watch import Watch
from ui.wire import Version

Update = dict[Any, Any]

FOCUS_BOX = """() => {
  const box = document.querySelector('#rl-box textarea');
  if (box && matchMedia('(pointer: fine)').matches) box.focus({ preventScroll: true });
}"""


class Chat:
    """The tab's handlers."""

    def __init__(self, client: Client, watch: Watch, parts: Parts) -> None:
        self._client = client
        self._watch = watch
        self._parts = parts
        self._running: dict[str, Answers] = {}

    async def send(
        self,
        text: str,
        stored: Any,
        count: int,
        temperature: float,
        person: str | None,
        system: str | None = None,
        longest: float | None = 0,
    ) -> AsyncIterator[Update]:
        """Add what was typed and have it answered; an unanswered message grows instead."""
        how = How(count, temperature, person, system, longest)
        async for update in self._say(text, Conversation.recall(stored), how):
            yield update

    async def _say(self, text: str, conversation: Conversation, how: How) -> AsyncIterator[Update]:
        parts = self._parts
        if conversation.comparison is not None and text.strip():
            wait = "Rank these answers first, or skip them; your message stays in the box."
            yield {parts.ranker: shown(conversation.comparison, error=wait)}
        elif text.strip():
            conversation.say(text.strip())
            yield {parts.box: ""}
            async for update in self._answer(conversation, how):
                yield update
        else:
            yield {parts.box: gr.skip()}

    async def on_action(
        self,
        text: str,
        stored: Any,
        count: int,
        temperature: float,
        person: str | None,
        system: str | None,
        longest: float | None,
        event: gr.EventData,
    ) -> AsyncIterator[Update]:
        """A button inside the transcript, or a word of it."""
        conversation = Conversation.recall(stored)
        how = How(count, temperature, person, system, longest)
        action, id = event._data["action"], event._data["id"]
        match action:
            case "word":
                yield {self._parts.odds: await odds(self._client, id, int(event._data["at"]))}
            case "ask":
                async for update in self._say(id, conversation, how):
                    yield update
            case "edit" | "rewrite":
                edit = action == "edit"
                again = conversation.take_back() if edit else conversation.rewind(int(id))
                yield {
                    self._parts.box: f"{again}\n{text}" if text else again,
                    **self._drawn(conversation),
                }
            case "up" | "down":
                yield await self._thumb(conversation, Thumb.of(action, id), person)
            case "another" | "retry":
                if action == "another":
                    conversation.ask_again()
                if conversation.unanswered:
                    async for update in self._answer(conversation, how):
                        yield update

    async def _thumb(self, conversation: Conversation, thumb: Thumb, person: str | None) -> Update:
        """Record it, and offer to say why."""
        try:
            await give(self._client, conversation, thumb, person)
        except ApiError as error:
            return self._noted(conversation, f"{error} Your thumb is not recorded.")
        return {**self._drawn(conversation), self._parts.why: gr.update(value="", visible=True)}

    async def explain(self, why: str, stored: Any, person: str | None) -> Update:
        """Say why of the last thumb; nothing typed only closes the box."""
        conversation = Conversation.recall(stored)
        try:
            if why.strip():
                await explain(self._client, conversation, why.strip(), person)
        except ApiError as error:
            return self._noted(conversation, f"{error} Your reason is not recorded.")
        return {**self._drawn(conversation), self._parts.why: gr.update(value="", visible=False)}

    async def history(self, person: str | None) -> Update:
        """The person's earlier chats."""
        return {self._parts.past: await past(self._client, person)}

    async def on_past(self, stored: Any, person: str | None, event: gr.EventData) -> Update:
        """A button among them: go on with one."""
        action, id = event._data["action"], str(event._data["id"] or "")
        panel: list[Node] = []
        found: Conversation | None = None
        try:
            if action == "open":
                found, panel = await reopened(self._client, id, person)
            elif action == "branch":
                name, _, end = id.rpartition(" ")
                found = await branch(self._client, name, end, person)
        except ApiError as error:
            return {self._parts.past: said(str(error), wrong=True)}
        if found is None:
            return {self._parts.past: panel}
        await self.stop(stored)
        settings = {self._parts.system: found.system}
        return {**self._drawn(found), self._parts.past: panel, **settings}

    async def _answer(self, conversation: Conversation, how: How) -> AsyncIterator[Update]:
        parts = self._parts
        conversation.system = (how.system or "").strip()
        chunks = self._client.chat(
            conversation.messages(),
            n=how.count,
            temperature=how.temperature,
            person=how.person,
            conversation=conversation.id,
            max_tokens=how.max_tokens,
        )
        answers = self._running[conversation.id] = Answers(chunks, how.count)
        heard = Comparison(answers=answers.answers)
        yield {
            parts.conversation: conversation.keep(),
            parts.why: gr.update(visible=False),
            **self._growing(conversation, heard),
            **self._busy(True),
        }
        wrong = False
        try:
            async for _ in answers.frames():
                yield self._growing(conversation, heard)
            note = conversation.hear(heard, stopped=answers.stopped)
        except ApiError as error:
            note, wrong = f"{error} Your message is kept.", True
        finally:
            self._running.pop(conversation.id, None)
        yield {**self._drawn(conversation, note, wrong=wrong), **self._busy(False)}

    async def stop(self, stored: Any) -> None:
        """Stop the answers being written in this conversation, here and in the server."""
        answers = self._running.get(Conversation.recall(stored).id)
        if answers is not None:
            answers.stop()

    async def rank(
        self, stored: Any, person: str | None, event: gr.EventData
    ) -> AsyncIterator[Update]:
        """Record the ranking and go on with the best answer."""
        parts = self._parts
        conversation = Conversation.recall(stored)
        comparison = conversation.comparison
        if comparison is None:
            yield {parts.ranker: {}}
            return
        verdict = verdict_of(event._data, comparison)
        yield {parts.ranker: shown(comparison, "sending")}
        try:
            await self._client.rank(verdict, person)
        except ApiError as error:
            kept = f"{error} Your ranking is not recorded yet: submit it again."
            yield {parts.ranker: shown(comparison, error=kept)}
            return
        asked = Asked(messages=conversation.messages())
        none = verdict.none_acceptable
        conversation.go_on(None if none else best(verdict.ranks), ranked=True)
        note = "None of the answers was acceptable; that is recorded." if none else None
        yield {parts.asked: asked.keep(), **self._drawn(conversation, note)}

    async def skip(self, stored: Any) -> Update:
        """Go on with the first answer and record nothing."""
        conversation = Conversation.recall(stored)
        if conversation.comparison is not None:
            conversation.go_on(0, ranked=False)
        return self._drawn(conversation)

    async def start_over(self, stored: Any) -> Update:
        """An empty conversation."""
        await self.stop(stored)
        return self._drawn(Conversation())

    async def restore(self, stored: Any) -> Update:
        """What this browser's conversation was when the page was last open."""
        return self._drawn(Conversation.recall(stored))

    async def announce(self, seen_: Any, asked_: Any, person: str | None) -> AsyncIterator[Update]:
        """Tell, once, of a version that is live and that this browser did not know, and show what
        it and the one before answer now."""
        parts, seen, asked = self._parts, Seen.recall(seen_), Asked.recall(asked_)
        live = (await self._watch.view()).live
        if live is None or not seen.misses(live):
            yield {parts.seen: gr.skip()}
            return
        yield {parts.seen: Seen(version=live.id).keep()}
        if seen.version is None:
            return
        live = await self._as_told_to(person, live)
        yield {parts.news: news(live, asked.messages, [])}
        if asked.messages:
            swap = [seen.version, live.id]
            async for retold in retell(self._client, swap, asked.messages, person):
                yield {parts.news: news(live, asked.messages, retold)}

    async def _as_told_to(self, person: str | None, version: Version) -> Version:
        """The version with what it learned from this person; as everybody sees it without that."""
        try:
            versions = await self._client.versions(person)
        except ApiError:
            return version
        return next((one for one in versions if one.id == version.id), version)

    def _growing(self, conversation: Conversation, heard: Comparison) -> Update:
        """The answers as far as they have come, one in the conversation, several side by side."""
        one = heard.answers[0] if len(heard.answers) == 1 else None
        return {
            self._parts.transcript: transcript(conversation, streaming=one, busy=True),
            self._parts.odds: [],
            self._parts.ranker: shown(None if one else heard, "answering"),
        }

    def _drawn(
        self, conversation: Conversation, note: str | None = None, *, wrong: bool = False
    ) -> Update:
        """The conversation at rest, kept by the browser."""
        log = transcript(conversation, welcome=welcome(current()), note=note, wrong=wrong)
        return {
            self._parts.conversation: conversation.keep(),
            self._parts.transcript: log,
            self._parts.odds: [],
            self._parts.ranker: shown(conversation.comparison),
        }

    def _noted(self, conversation: Conversation, sentence: str) -> Update:
        """The conversation at rest, and a sentence below it on what went wrong."""
        return {**self._drawn(conversation), self._parts.odds: said(sentence, wrong=True)}

    def _busy(self, yes: bool) -> Update:
        return {
            self._parts.send: gr.update(visible=not yes),
            self._parts.stop: gr.update(visible=yes),
            self._parts.again: gr.update(interactive=not yes),
        }
