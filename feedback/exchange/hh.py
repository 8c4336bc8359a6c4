"""Anthropic's helpful and harmless transcripts (Bai et al. 2022, 2204.05862): two whole texts,
alike up to their last answer.

They know no system's turn, and nothing that looks like the beginning of a turn inside of one: such
a conversation is not written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .reading import answered, pair, shown, text
from .values import Compared, Said, Turns, UnreadableLine
from .writing import Line, untied

TURN = re.compile(r"\n\n(Human|Assistant):")
NAMES = {"user": "Human", "assistant": "Assistant"}
ROLES = {name: role for role, name in NAMES.items()}


def write(said: Said) -> Iterator[Line]:
    """A line for each pair of answers that is no tie, where a transcript can hold it."""
    if isinstance(said, Compared) and all(role in NAMES for role, _ in said.messages):
        for answers in untied(said):
            talks = [(*said.messages, ("assistant", answer)) for answer in answers]
            chosen, rejected = (_transcript(talk) for talk in talks)
            if [_turns(chosen), _turns(rejected)] == talks:
                yield {"chosen": chosen, "rejected": rejected}


def read(row: Mapping[str, Any]) -> Sequence[Said]:
    """One comparison."""
    (asked, chosen), (other, rejected) = (
        answered(_told(row, key), key) for key in ("chosen", "rejected")
    )
    if asked != other:
        raise UnreadableLine("chosen and rejected differ before their last answers")
    return [pair(asked, chosen, rejected)]


def _transcript(turns: Turns) -> str:
    return "".join(f"\n\n{NAMES[role]}: {content}" for role, content in turns)


def _told(row: Mapping[str, Any], key: str) -> Turns:
    transcript = text(row, key)
    found = _turns(transcript)
    if not found or TURN.match(transcript) is None:
        raise UnreadableLine(f'{key} must begin with "\\n\\nHuman: ", not {shown(transcript)}')
    return found


def _turns(transcript: str) -> Turns:
    """What stands before the first turn is dropped; one space after a name is the format's."""
    _, *parts = TURN.split(transcript)
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return tuple((ROLES[name], content.removeprefix(" ")) for name, content in pairs)
