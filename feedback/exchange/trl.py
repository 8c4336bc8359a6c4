"""TRL's formats, conversational as its trainers take them; plain texts are read too.

A preference without a prompt has it in both of its conversations, as TRL's "implicit prompt".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..preferences import THUMB
from .reading import answered, asked, pair, shown, text, turns
from .values import Compared, Judged, Said, Shown, Turns, UnreadableLine
from .writing import Line, as_answer, as_messages, untied


def write_preference(said: Said) -> Iterator[Line]:
    """A line for each pair of answers that is no tie."""
    if isinstance(said, Compared):
        for better, worse in untied(said):
            yield {
                "prompt": as_messages(said.messages),
                "chosen": as_answer(better),
                "rejected": as_answer(worse),
            }


def read_preference(row: Mapping[str, Any]) -> Sequence[Said]:
    """One comparison."""
    if "prompt" not in row:
        (prompt, chosen), (other, rejected) = (
            answered(turns(row, key), key) for key in ("chosen", "rejected")
        )
        if prompt != other:
            raise UnreadableLine("chosen and rejected answer different conversations")
        return [pair(prompt, chosen, rejected)]
    return [pair(_prompt(row), _answer(row, "chosen"), _answer(row, "rejected"))]


def write_unpaired(said: Said) -> Iterator[Line]:
    """A line for each thumb."""
    if isinstance(said, Judged):
        for answer, thumb in zip(said.answers, said.values.get(THUMB, ()), strict=False):
            if thumb is not None:
                yield {
                    "prompt": as_messages(said.messages),
                    "completion": as_answer(answer),
                    "label": bool(thumb),
                }


def read_unpaired(row: Mapping[str, Any]) -> Sequence[Said]:
    """One thumb."""
    label = row.get("label")
    if not isinstance(label, bool):
        raise UnreadableLine(f"label must be true or false, not {shown(label)}")
    return [Judged(_prompt(row), (_answer(row, "completion"),), {THUMB: (float(label),)})]


def write_prompt_completion(said: Said) -> Iterator[Line]:
    """A line for each demonstration; its last answer is the completion."""
    if isinstance(said, Shown):
        prompt, answer = said.messages[:-1], said.messages[-1][1]
        yield {"prompt": as_messages(prompt), "completion": as_answer(answer)}


def read_prompt_completion(row: Mapping[str, Any]) -> Sequence[Said]:
    """One demonstration."""
    return [Shown((*_prompt(row), ("assistant", _answer(row, "completion"))))]


def _prompt(row: Mapping[str, Any]) -> Turns:
    if isinstance(row.get("prompt"), str):
        return (("user", text(row, "prompt")),)
    return asked(turns(row, "prompt"), "prompt")


def _answer(row: Mapping[str, Any], key: str) -> str:
    if isinstance(row.get(key), str):
        return text(row, key)
    said = turns(row, key)
    if [role for role, _ in said] != ["assistant"]:
        raise UnreadableLine(f"{key} must be one assistant's turn")
    return said[0][1]
