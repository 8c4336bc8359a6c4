"""Messages to token ids and back: the only place a chat template is applied.

1. A conversation becomes ids through the tokenizer's own template. What people type is text: a
   typed "<|im_end|>" becomes its characters, never the special id.
2. An assistant's reply becomes ids as the template would have rendered it, up to and including its
   end-of-turn token, so that `encode(messages) + encode_reply(text)` is what the model learns from.
3. A template that knows no system role gets the system text at the top of the first user turn.

It knows no model, no batch and no sampling.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, cast

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

ROLES = ("system", "user", "assistant")
_PROBE = "zqprobe"  # plain letters, so that no template trims or splits it


class NoChatTemplate(ValueError):
    """The tokenizer has no chat template, or none for a plain chat whose turns end."""


class InvalidMessages(ValueError):
    """The template cannot render these messages; the text says why."""


class TurnsMove(InvalidMessages):
    """The template renders what stands before an answer otherwise once the conversation goes on, or
    ends an answer's turn with no token of its own.
    """


@dataclass(frozen=True)
class Message:
    """One turn: `role` is system, user or assistant."""

    role: str
    content: str


class Chat:
    """A tokenizer's chat format; any thread may use it.

    `template_hash` is the sha256 of the template's text; `stop_ids` are the ids that end a reply:
    the template's end-of-turn token, the tokenizer's eos and whatever `eos_ids` adds.
    Raises NoChatTemplate.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, eos_ids: Iterable[int] = ()) -> None:
        self.tokenizer = tokenizer
        # Encoding with and without special tokens flips a switch that the tokenizer's users share:
        # without a lock one thread's typed "<|im_end|>" is encoded under another's setting.
        self._lock = threading.Lock()
        self.template_hash = hashlib.sha256(_template(tokenizer).encode()).hexdigest()
        self._folds_system = not self._knows_system()
        try:
            self._reply_prefix, self._reply_end = self._reply_frame()
        except TemplateError as error:
            raise NoChatTemplate(f"The chat template renders no plain chat: {error}") from error
        eos = {tokenizer.eos_token_id} - {None}
        self.stop_ids: frozenset[int] = frozenset({self._reply_end[-1], *eos, *eos_ids})

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """Prompt ids, generation prompt included. Raises InvalidMessages."""
        if not messages:
            raise InvalidMessages("There are no messages to answer.")
        return self._ids(messages, prompt=True)

    def encode_conversation(self, messages: Sequence[Message]) -> tuple[list[int], list[int]]:
        """The ids of a conversation up to the end of its last answer, and a mask as long: 1 on the
        tokens of an assistant's turn, its end-of-turn token included, else 0.

        An answer begins where `encode` of what stands before it ends. Raises InvalidMessages, and
        TurnsMove where there is no such place.
        """
        answers = [i for i, message in enumerate(messages) if message.role == "assistant"]
        if not answers:
            raise InvalidMessages("There is no assistant turn to learn from.")
        ids = self._ids(messages[: answers[-1] + 1], prompt=False)
        mask, end = [0] * len(ids), 0
        for answer in answers:
            before = self.encode(messages[:answer])
            start = len(before)
            if ids[:start] != before or start < end or self._reply_end[-1] not in ids[start:]:
                raise TurnsMove(f"The chat template gives message {answer} no place of its own.")
            end = ids.index(self._reply_end[-1], start) + 1
            mask[start:end] = [1] * (end - start)
        return ids[:end], mask[:end]

    def _ids(self, messages: Sequence[Message], *, prompt: bool) -> list[int]:
        """The template's ids, with or without the generation prompt behind."""
        for message in messages:
            if message.role not in ROLES:
                raise InvalidMessages(f"Unknown role {message.role!r}: use one of {ROLES}.")
        turns = _fold_system(messages) if self._folds_system else messages
        try:
            with self._lock:
                ids = self.tokenizer.apply_chat_template(
                    [asdict(turn) for turn in turns],
                    add_generation_prompt=prompt,
                    sanitize_control_tokens=True,
                    return_dict=False,
                )
        except (TemplateError, ValueError) as error:
            raise InvalidMessages(f"The chat template refuses these messages: {error}") from error
        return cast("list[int]", ids)

    def encode_text(self, text: str) -> list[int]:
        """A text by itself, with what the tokenizer puts before any; at least one id. Raises
        InvalidMessages."""
        with self._lock:
            ids: list[int] = self.tokenizer.encode(text, split_special_tokens=True)
        if ids:
            return ids
        start = self.tokenizer.bos_token_id
        if start is None:
            raise InvalidMessages("The prompt is empty, and this model has no token to begin with.")
        return [start]

    def pieces(self, word: str) -> int:
        """Into how many tokens a word inside a sentence falls: rare ones into several."""
        with self._lock:
            return len(self._encode_plain(f"a {word}")) - len(self._encode_plain("a"))

    def encode_reply(self, text: str) -> list[int]:
        """An assistant turn's ids as they follow `encode(...)`, the end-of-turn token last."""
        with self._lock:
            return [*self._encode_text(self._reply_prefix + text), *self._reply_end]

    def decode(self, ids: Sequence[int]) -> str:
        """The ids' text, special tokens dropped; bytes that are no UTF-8 become U+FFFD."""
        return self.detokenizer().decode(ids)

    def detokenizer(self) -> Detokenizer:
        """A fresh decoder for one streamed reply."""
        return Detokenizer(self.tokenizer, self.stop_ids)

    def _encode_text(self, text: str) -> list[int]:
        """Plain text's ids. It is encoded after a newline that is then cut off, since SentencePiece
        would put a space before a string's first word."""
        newline, ids = self._encode_plain("\n"), self._encode_plain("\n" + text)
        if ids[: len(newline)] == newline:
            return ids[len(newline) :]
        return self._encode_plain(text)

    def _encode_plain(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(
            text, add_special_tokens=False, split_special_tokens=True
        )
        return ids

    def _render(self, *turns: tuple[str, str], prompt: bool = False) -> str:
        messages = [{"role": role, "content": content} for role, content in turns]
        text = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=prompt
        )
        assert isinstance(text, str), "one conversation renders to one string"
        return text

    def _knows_system(self) -> bool:
        """Some templates raise on a system turn, some drop it without a word."""
        try:
            return _PROBE in self._render(("system", _PROBE), ("user", "x"))
        except TemplateError:
            return False

    def _reply_frame(self) -> tuple[str, list[int]]:
        """What the template writes between the generation prompt and an assistant's text (Mistral's
        space, mostly nothing), and the ids from the text's end to its end-of-turn token."""
        prompt = self._render(("user", "x"), prompt=True)
        head, _, tail = self._render(("user", "x"), ("assistant", _PROBE)).rpartition(_PROBE)
        prefix = head.removeprefix(prompt) if head.startswith(prompt) else ""
        ids = self.tokenizer.encode(tail, add_special_tokens=False)
        added = self.tokenizer.added_tokens_decoder
        for position, token in enumerate(ids):
            if token in added and not added[token].content.isspace():
                return prefix, ids[: position + 1]
        if self.tokenizer.eos_token_id is None:
            raise NoChatTemplate("The chat template ends no assistant turn and there is no eos.")
        return prefix, [self.tokenizer.eos_token_id]


class Detokenizer:
    """Turns a reply's ids into text as they come; the pieces joined equal `Chat.decode(ids)`."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, dropped: frozenset[int]) -> None:
        self._decode = _decoding(tokenizer)
        self._dropped = dropped
        self._context: list[int] = []  # the last ids shown: a word's space hangs on its neighbour
        self._held: list[int] = []  # ids whose text may end in half a character

    def decode(self, ids: Sequence[int]) -> str:
        """The text of whole ids, without this decoder's state."""
        return self._decode([token for token in ids if token not in self._dropped])

    def push(self, token: int) -> str:
        """The text that `token` completes; empty while a character's bytes are still coming."""
        self._held.append(token)
        text = self._held_text()
        if not text or text.endswith("\N{REPLACEMENT CHARACTER}"):
            return ""
        self._context, self._held = self._held, []
        return text

    def flush(self) -> str:
        """What is still held back when the reply is over."""
        text = self._held_text() if self._held else ""
        self._context, self._held = [], []
        return text

    def _held_text(self) -> str:
        return self.decode(self._context + self._held)[len(self.decode(self._context)) :]


def _decoding(tokenizer: PreTrainedTokenizerBase) -> Callable[[list[int]], str]:
    """Ids to text, special tokens dropped. Where a tokenizer leaves this to its backend we ask that
    one: what lies between takes ten times as long, and is asked for every token."""
    fast = PreTrainedTokenizerFast
    if isinstance(tokenizer, fast) and type(tokenizer)._decode is fast._decode:
        return partial(tokenizer.backend_tokenizer.decode, skip_special_tokens=True)
    decode: Callable[..., Any] = tokenizer.decode
    return partial(decode, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def _template(tokenizer: PreTrainedTokenizerBase) -> str:
    try:
        return str(tokenizer.get_chat_template())
    except ValueError as error:
        raise NoChatTemplate("The tokenizer has no chat template.") from error


def _fold_system(messages: Sequence[Message]) -> list[Message]:
    """Moves every system text to the top of the first user turn, a blank line between."""
    system = [message.content for message in messages if message.role == "system"]
    turns = [message for message in messages if message.role != "system"]
    first = next((i for i, turn in enumerate(turns) if turn.role == "user"), None)
    if system and first is not None:
        turns[first] = Message("user", "\n\n".join([*system, turns[first].content]))
    elif system:
        raise InvalidMessages("This model knows no system role and there is no user message.")
    return turns
