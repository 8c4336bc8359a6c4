"""Numbers and times in words. Pure."""

from __future__ import annotations

import time


def duration(seconds: float) -> str:
    """About how long, in the largest unit that says something."""
    if seconds < 60:
        return f"{max(round(seconds), 0)} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    if seconds < 86_400:
        return f"{round(seconds / 3600)} h"
    return f"{round(seconds / 86_400)} d"


def moment(at: float | None) -> str:
    """A point in time in this machine's time zone; an empty text for none."""
    return "" if at is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def count(number: int, noun: str) -> str:
    """'1 ranking', '9 rankings'."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def figure(value: object) -> str:
    """A figure as people read it: three digits, no trailing zeros."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        value = round(value, 3) + 0.0  # no minus before a nought
        return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) < 1000 else f"{value:.0f}"
    return str(value)


def label(name: str) -> str:
    """A key of the API as words: 'win_rate' becomes 'win rate'."""
    return name.replace("_", " ").replace("/", " ")
