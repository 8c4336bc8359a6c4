"""What a line says, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Turns = tuple[tuple[str, str], ...]
"""(role, content) pairs; roles are system, user and assistant."""

Values = Mapping[str, tuple[float | None, ...]]
"""By criterion a number for each answer, None where nothing was said."""


class UnreadableLine(ValueError):
    """A line that is not what its format has; the text says why."""


@dataclass(frozen=True)
class Compared:
    """Answers to one conversation with their ranks: 1 is best, equal is a tie, None unranked."""

    messages: Turns
    answers: tuple[str, ...]
    ranks: tuple[int | None, ...]
    ratings: Values = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """Answers to one conversation, each judged by itself."""

    messages: Turns
    answers: tuple[str, ...]
    values: Values


@dataclass(frozen=True)
class Shown:
    """A conversation whose answers are as they should be; it ends with one."""

    messages: Turns


Said = Compared | Judged | Shown
