"""People's conversations and judgements, read from the files of a folder.

Three sources, each a `.jsonl.gz` file (or a plain `.jsonl` one): Taskmaster's coffee orders and the
turns of such orders that people judged good or bad; OpenAssistant's ranked replies; PandaLM's pairs
with three votes each. Knows no model.

A coffee order is rendered as a chat: agents are the assistant, customers and the shop's API the
user, turns of one side in a row are one, and what stands before the first user turn is dropped. Of
a call or a response the names and values are the text, without JSON's marks. Only the response
that is answered is kept, and its beginning: menus are long, and push out what people said.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policy.chat import Message

COFFEE_DIALOGS = "demo_tm4_coffee"
COFFEE_JUDGEMENTS = "reward_tm4_coffee"
RANKINGS = {"oasst": "pref_oasst_rankings", "pandalm": "pref_pandalm_human"}

LONGEST_RESPONSE = 80
"""Characters of what the shop's API says."""

Turns = tuple[Message, ...]


class NoDataError(Exception):
    """A file that the benchmark reads is not in the folder."""


@dataclass(frozen=True)
class Judgement:
    """A reply to a conversation that ends with the user, and whether a person found it good;
    `asked` is what was last said by somebody, the shop's API left out; `key` is the same for all
    replies to one context, however that is rendered.
    """

    context: Turns
    reply: str
    good: bool
    asked: str
    key: str


@dataclass(frozen=True)
class RankedReplies:
    """Replies to one conversation, with ranks: 1 is best, equal is a tie."""

    context: Turns
    replies: tuple[str, ...]
    ranks: tuple[int, ...]

    @property
    def key(self) -> str:
        """The same for all conversations that begin with one prompt."""
        return self.context[0].content


def coffee_dialogs(folder: Path) -> list[Turns]:
    """Whole orders that begin with the customer and hold an answer."""
    dialogs = [
        _alternating([(turn["role"], turn["content"]) for turn in row["messages"]])
        for row in _rows(folder, COFFEE_DIALOGS)
    ]
    return [dialog for dialog in dialogs if len(dialog) > 1]


def coffee_judgements(folder: Path) -> list[Judgement]:
    """Judged turns; the few without anything before them are left out."""
    found = []
    for row in _rows(folder, COFFEE_JUDGEMENTS):
        turns = [turn for turn in row["context"][:-1] if "response" not in turn]
        turns += [*row["context"][-1:], row["generation"]]
        said = _alternating([(_side(turn["role"]), _said(turn)) for turn in turns])
        asked = next((turn["text"] for turn in reversed(turns[:-1]) if "text" in turn), "")
        if len(said) > 1:
            good = row["reward"] > 0.5
            key = json.dumps(row["context"])
            found.append(Judgement(said[:-1], said[-1].content, good, asked, key))
    return found


def ranked_replies(folder: Path, source: str) -> list[RankedReplies]:
    """All rankings of `oasst` or `pandalm`; a file's ranks begin at 0."""
    return [
        RankedReplies(
            tuple(Message(turn["role"], turn["content"]) for turn in row["messages"]),
            tuple(row["responses"]),
            tuple(rank + 1 for rank in row["ranks"]),
        )
        for row in _rows(folder, RANKINGS[source])
    ]


def held_out(key: str, split: int, share: float = 0.2) -> bool:
    """Whether what has this key is kept from training in this split: by its hash, so that all that
    share it are on one side.
    """
    drawn = hashlib.sha256(f"{split}\n{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(drawn[:8], "big") / 2**64 < share


def _rows(folder: Path, name: str) -> Iterator[Mapping[str, Any]]:
    """The file's rows. Raises NoDataError."""
    packed, plain = folder / f"{name}.jsonl.gz", folder / f"{name}.jsonl"
    if packed.is_file():
        text = gzip.decompress(packed.read_bytes()).decode()
    elif plain.is_file():
        text = plain.read_text()
    else:
        raise NoDataError(f"there is no {packed.name} in {folder}")
    return (json.loads(line) for line in text.splitlines())


def _side(role: str) -> str:
    return "assistant" if role == "agent" else "user"


def _said(turn: Mapping[str, Any]) -> str:
    """A turn's text, or what its call or response holds."""
    if "text" in turn:
        return str(turn["text"])
    if "api" in turn:
        return _plain(turn["api"])
    return _plain(turn["response"])[:LONGEST_RESPONSE]


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name} {_plain(held)}".strip() for name, held in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return str(value)


def _alternating(turns: Sequence[tuple[str, str]]) -> Turns:
    """User first, and then by turns."""
    merged: list[Message] = []
    for role, content in turns:
        if merged and merged[-1].role == role:
            merged[-1] = Message(role, f"{merged[-1].content}\n{content}")
        elif merged or role == "user":
            merged.append(Message(role, content))
    return tuple(merged)
