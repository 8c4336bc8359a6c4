"""How the fields of a line are checked. All raise UnreadableLine with the field's name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .values import Compared, Turns, UnreadableLine

ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
"""A developer speaks as the system does."""


def text(row: Mapping[str, Any], key: str) -> str:
    """The field, which must be a text."""
    value = row.get(key)
    if not isinstance(value, str):
        raise UnreadableLine(f"{key} must be a text, not {shown(value)}")
    return value


def items(row: Mapping[str, Any], key: str) -> list[Any]:
    """The field, which must be a list that is not empty."""
    value = row.get(key)
    if not isinstance(value, list) or not value:
        raise UnreadableLine(f"{key} must be a list that is not empty, not {shown(value)}")
    return value


def mapping(value: Any, name: str) -> dict[str, Any]:
    """The value, which must be an object."""
    if not isinstance(value, dict):
        raise UnreadableLine(f"{name} must be an object, not {shown(value)}")
    return value


def turns(row: Mapping[str, Any], key: str) -> Turns:
    """A list of messages with a role and a text."""
    return tuple(_turn(turn, f"{key}[{i}]") for i, turn in enumerate(items(row, key)))


def _turn(turn: Any, name: str) -> tuple[str, str]:
    role, content = mapping(turn, name).get("role"), turn.get("content")
    if role not in ROLES:
        raise UnreadableLine(f"{name}.role must be one of {', '.join(ROLES)}, not {shown(role)}")
    if not isinstance(content, str):
        raise UnreadableLine(f"{name}.content must be a text, not {shown(content)}")
    return ROLES[role], content


def asked(messages: Turns, name: str) -> Turns:
    """Messages that end with the user, as what is answered does."""
    if not messages or messages[-1][0] != "user":
        raise UnreadableLine(f"{name} must end with a user's turn")
    return messages


def answered(messages: Turns, name: str) -> tuple[Turns, str]:
    """A conversation as what was asked and its last answer."""
    if not messages or messages[-1][0] != "assistant":
        raise UnreadableLine(f"{name} must end with an assistant's turn")
    return asked(messages[:-1], f"{name} without its answer"), messages[-1][1]


def pair(messages: Turns, better: str, worse: str) -> Compared:
    """Two answers, the better one first."""
    if better == worse:
        raise UnreadableLine("both answers are the same, so comparing them says nothing")
    return Compared(messages, (better, worse), (1, 2))


def number(value: Any, name: str) -> float:
    """A finite number, which truth values are not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnreadableLine(f"{name} must be a number, not {shown(value)}")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise UnreadableLine(f"{name} is too large a number")
    return found


def shown(value: Any) -> str:
    """A value as a reason quotes it: no longer than a line."""
    told = repr(value)
    return told if len(told) <= 60 else f"{told[:57]}..."
