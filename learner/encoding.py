"""Prompts and answers that came as text, as the token ids that rounds work on.

What was answered here has its tokens on record, and keeps them. What was imported has none: its
messages go through the model's chat template, and its answers are what the template would have
rendered, their end-of-turn token included. What the template cannot render, or the context has no
room for, is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from transformers import AutoConfig

from feedback.preferences import MarkedPrompt, RankedPrompt
from feedback.records import LoggedPrompt
from policy.chat import Chat, InvalidMessages, Message
from policy.source import load_chat

Answered = TypeVar("Answered", RankedPrompt, MarkedPrompt)
Turns = tuple[tuple[str, str], ...]


class Encoder:
    """The chat format of a model's folder, read once there is something to encode."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def chat(self) -> Chat:
        return load_chat(self.folder)

    @cached_property
    def context(self) -> int:
        """The longest prompt and answer together, in tokens."""
        config = AutoConfig.from_pretrained(self.folder, local_files_only=True)
        return int(config.max_position_embeddings)

    def answered(self, given: Sequence[Answered]) -> list[Answered]:
        """Those that the model can read, with token ids, in their order."""
        found = (one if one.prompt_ids else self._encoded(one) for one in given)
        return [one for one in found if one is not None]

    def prompts(self, given: Sequence[LoggedPrompt]) -> list[LoggedPrompt]:
        """Those that the model can read and has room to answer, with token ids, in their order."""
        found = (
            one if one.prompt_ids else replace(one, prompt_ids=self._asked(one)) for one in given
        )
        return [one for one in found if one.prompt_ids]

    def _asked(self, prompt: LoggedPrompt) -> tuple[int, ...]:
        """Nothing where the model cannot read it."""
        ids = self._prompt(prompt.messages) or ()
        return ids if len(ids) < self.context else ()

    def _encoded(self, given: Answered) -> Answered | None:
        prompt = self._prompt(given.messages)
        answers = tuple(
            replace(answer, token_ids=tuple(self.chat.encode_reply(answer.text)))
            for answer in given.answers
        )
        longest = max(len(answer.token_ids) for answer in answers)
        if prompt is None or len(prompt) + longest > self.context:
            return None
        return replace(given, prompt_ids=prompt, answers=answers)

    def _prompt(self, messages: Turns) -> tuple[int, ...] | None:
        """A prompt's ids, None where the template refuses it."""
        try:
            return tuple(self.chat.encode([Message(*turn) for turn in messages]))
        except InvalidMessages:
            return None
