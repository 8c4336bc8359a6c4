"""OpenAI's fine-tuning files: `messages` for supervised fine-tuning, and its preference pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .reading import asked, items, mapping, pair, turns
from .values import Compared, Said, Shown, UnreadableLine
from .writing import Line, as_answer, as_messages, untied

OUTPUTS = ("preferred_output", "non_preferred_output")


def write_messages(said: Said) -> Iterator[Line]:
    """A line for each demonstration."""
    if isinstance(said, Shown):
        yield {"messages": as_messages(said.messages)}


def read_messages(row: Mapping[str, Any]) -> Sequence[Said]:
    """One demonstration. What an answer's `weight` of 0 leaves out of the loss has no place here:
    in ours every answer is as it should be.
    """
    messages = turns(row, "messages")
    for i, turn in enumerate(items(row, "messages")):
        if turn.get("weight") == 0:
            raise UnreadableLine(f"messages[{i}] has the weight 0: here every answer is learned")
    if messages[-1][0] != "assistant":
        raise UnreadableLine("messages must end with an assistant's turn")
    return [Shown(messages)]


def write_preference(said: Said) -> Iterator[Line]:
    """A line for each pair of answers that is no tie."""
    if isinstance(said, Compared):
        for answers in untied(said):
            yield {
                "input": {"messages": as_messages(said.messages)},
                **{key: as_answer(answer) for key, answer in zip(OUTPUTS, answers, strict=True)},
            }


def read_preference(row: Mapping[str, Any]) -> Sequence[Said]:
    """One comparison."""
    messages = asked(turns(mapping(row.get("input"), "input"), "messages"), "input.messages")
    better, worse = (_output(row, key) for key in OUTPUTS)
    return [pair(messages, better, worse)]


def _output(row: Mapping[str, Any], key: str) -> str:
    said = turns(row, key)
    if [role for role, _ in said] != ["assistant"]:
        raise UnreadableLine(f"{key} must be one assistant's turn")
    return said[0][1]
