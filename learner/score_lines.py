"""Scores of conversations in JSON lines, by a published reward model: `rankloop rewards score`.

A line holds `messages` and what is to be scored: a `response`, several `responses`, or an assistant
turn at the end of the messages. It needs the data folder alone, neither a server nor the record.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedback.preferences import last_user_message
from learner.batching import Group, Ids
from learner.device import device_of
from learner.parallel import use_threads
from learner.published import published
from learner.reader import Reader
from learner.rewarder import TOTAL
from learner.settings import Settings
from policy.chat import Chat, InvalidMessages, Message
from policy.source import load_chat
from policy.versions import Versions

AT_ONCE = 32
"""Lines scored together, and so the least between two reports."""

SILENT_S = 2.0
"""Seconds before it says how far it is, and between two such words."""


Report = Callable[[int, int], None]
"""So many lines of so many are scored."""


class CannotScore(ValueError):
    """A line, or the data folder, is not what it takes; the text says what to do."""


@dataclass(frozen=True)
class Line:
    """A prompt and the replies to score; `single`: they were not given as a list."""

    number: int
    messages: tuple[Message, ...]
    responses: tuple[str, ...]
    single: bool


def score_file(text: str, settings: Settings, reward: str | None, out: Path | None) -> None:
    """Write a JSON line for each line of `text` to `out`, else to stdout as they come, by the
    reward model named, else the newest.

    Raises CannotScore, CorruptVersion, UnusableScorer, OSError.
    """
    use_threads(settings.learner.cpu_threads)
    lines = [read(number, line) for number, line in _filled(text)]
    versions = settings.versions.place(settings.data).open()
    found = scored(lines, versions, reward, device_of(settings.learner.device), Spoken())
    if out is not None:
        out.write_text("".join(f"{line}\n" for line in found), encoding="utf-8")
        return
    for line in found:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def scored(
    lines: Sequence[Line], versions: Versions, reward: str | None, device: str, report: Report
) -> Iterator[str]:
    """A JSON line for each line, in order."""
    id = chosen(versions, reward)
    versions.verify(id)
    chat, said = load_chat(versions.folder("v0")), dict[Ids, str]()
    rewarder = published(versions, id, Reader(chat, said), device)
    groups = [_group(line, chat, rewarder.own.context) for line in lines]
    turns = [[(message.role, message.content) for message in line.messages] for line in lines]
    said |= {g.prompt: last_user_message(t) for g, t in zip(groups, turns, strict=True)}
    for start in range(0, len(lines), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        for line, rows in zip(lines[part], rewarder.score(groups[part]), strict=True):
            yield json.dumps(_shown(line, id, rows))
        report(min(start + AT_ONCE, len(lines)), len(lines))


class Spoken:
    """Says on stderr how far it is, once it has taken a while."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def __call__(self, done: int, lines: int) -> None:
        if time.monotonic() - self.last > SILENT_S:
            self.last = time.monotonic()
            sys.stderr.write(f"{done} of {lines} lines scored\n")


def _filled(text: str) -> list[tuple[int, str]]:
    """Lines that hold something, by their numbers from 1."""
    found = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not found:
        raise CannotScore("there is no line to score")
    return found


def chosen(versions: Versions, reward: str | None) -> str:
    """The reward model named, or the newest; raises CannotScore."""
    known = [id for id in versions.ids() if id.startswith("r")]
    if not known:
        raise CannotScore(
            f"there is no reward model in {versions.name}: one is published by the first round "
            "that learns from rankings"
        )
    if reward is not None and reward not in known:
        named = ", ".join(known)
        raise CannotScore(f"there is no reward model {reward!r} in {versions.name}, but {named}")
    return reward or known[-1]


def read(number: int, line: str) -> Line:
    """Raises CannotScore, which names the line and what is wrong with it."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise CannotScore(f"line {number} is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise CannotScore(
            f'line {number} is no object: write {{"messages": [...], "response": ""}}'
        )
    messages = tuple(_turn(number, turn) for turn in _list(number, row, "messages"))
    given = [key for key in ("response", "responses") if key in row]
    if len(given) > 1:
        raise CannotScore(f"line {number} has both response and responses: leave one out")
    if not given:
        if messages[-1].role != "assistant":
            raise CannotScore(
                f"line {number} has nothing to score: add a response, responses, or an assistant "
                "turn at the end of the messages"
            )
        return Line(number, messages[:-1], (messages[-1].content,), True)
    single = given == ["response"]
    texts = [row["response"]] if single else _list(number, row, "responses")
    for text in texts:
        if not isinstance(text, str):
            raise CannotScore(f"line {number}: a {given[0]} must be a text, not {text!r}")
    return Line(number, messages, tuple(texts), single)


def _list(number: int, row: dict[str, Any], key: str) -> list[Any]:
    value = row.get(key)
    if not isinstance(value, list) or not value:
        raise CannotScore(f"line {number}: {key} must be a list that is not empty, not {value!r}")
    return value


def _turn(number: int, turn: Any) -> Message:
    try:
        role, content = turn["role"], turn["content"]
    except (TypeError, KeyError):
        role = content = None
    if not isinstance(role, str) or not isinstance(content, str):
        raise CannotScore(f"line {number}: a message has a role and a content, not {turn!r}")
    return Message(role, content)


def _group(line: Line, chat: Chat, context: int) -> Group:
    """The line as token ids; raises CannotScore for what the model cannot read."""
    try:
        prompt = tuple(chat.encode(line.messages))
    except InvalidMessages as error:
        raise CannotScore(f"line {line.number}: {error}") from None
    group = Group(prompt, tuple(tuple(chat.encode_reply(text)) for text in line.responses))
    tokens = len(prompt) + max(map(len, group.replies))
    if tokens > context:
        raise CannotScore(
            f"line {line.number} has {tokens} tokens, and the model reads {context}: shorten it"
        )
    return group


def _shown(line: Line, reward: str, rows: Sequence[dict[str, float]]) -> dict[str, Any]:
    """One line of the answer: lists where responses were given as a list."""
    totals = [row[TOTAL] for row in rows]
    parts = [{name: value for name, value in row.items() if name != TOTAL} for row in rows]
    shown: dict[str, Any] = {"line": line.number, "reward": reward}
    if line.single:
        return {**shown, "score": totals[0], "parts": parts[0]}
    return {**shown, "scores": totals, "parts": parts}
