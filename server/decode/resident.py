"""One version in memory, as requests see it: how its texts become tokens and back, and what it has
room for. Its weights are the decoding process's."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from policy.chat import Chat, Message

from .orders import Room


class Resident:
    """One version in memory. `readers` counts the requests that use it; Residence counts them."""

    def __init__(self, id: str, digest: str, chat: Chat, room: Room) -> None:
        self.id = id
        self.digest = digest
        self.context = room.context
        self.positions = room.positions
        self.vocabulary = room.vocabulary
        self.template_hash = chat.template_hash
        self.stop_ids = chat.stop_ids
        self.readers = 0
        self.used_at = time.monotonic()
        self._chat = chat
        self._encoding = threading.Lock()

    def encode(self, messages: Sequence[tuple[str, str]]) -> tuple[int, ...]:
        """Prompt ids. Raises policy.chat.InvalidMessages."""
        turns = [Message(role, content) for role, content in messages]
        # A tokenizer holds its settings while it works, so it serves one thread at a time.
        with self._encoding:
            return tuple(self._chat.encode(turns))

    def encode_text(self, text: str) -> tuple[int, ...]:
        """A text's ids, no template applied."""
        with self._encoding:
            return tuple(self._chat.encode_text(text))

    def texts(self, tokens: Sequence[int]) -> list[str]:
        """Each token's part of the whole text: a character belongs to the token that completes it,
        and what is left incomplete to the last one."""
        detokenizer = self._chat.detokenizer()
        texts = [detokenizer.push(token) for token in tokens]
        texts[-1:] = [text + detokenizer.flush() for text in texts[-1:]]
        return texts

    def text(self, tokens: Sequence[int]) -> str:
        """Tokens by themselves; bytes that are no whole character show as U+FFFD."""
        return self._chat.decode(tokens)
