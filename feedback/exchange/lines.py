"""JSON lines: bytes to numbered lines, a line to an object, and what makes two lines the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .values import UnreadableLine

LONGEST = 16 * 2**20
"""Bytes of a line, above which it is refused: it is held in memory whole."""


@dataclass(frozen=True)
class NumberedLine:
    """A line by its number from 1; None for one that is too long."""

    number: int
    text: bytes | None


class Lines:
    """Cuts what comes in pieces into lines; blank ones are counted and left out."""

    def __init__(self) -> None:
        self._number = 0
        self._begun = bytearray()
        self._too_long = False

    def feed(self, data: bytes) -> Iterator[NumberedLine]:
        """The lines that end in this piece."""
        *whole, rest = data.split(b"\n")
        for part in whole:
            self._add(part)
            yield from self._end()
        self._add(rest)

    def finish(self) -> Iterator[NumberedLine]:
        """The last line, if no newline ended it."""
        if self._begun or self._too_long:
            yield from self._end()

    def _add(self, part: bytes) -> None:
        self._begun += part
        if len(self._begun) > LONGEST:
            self._begun.clear()
            self._too_long = True

    def _end(self) -> Iterator[NumberedLine]:
        self._number += 1
        text, too_long = bytes(self._begun), self._too_long
        self._begun.clear()
        self._too_long = False
        if too_long or text.strip():
            yield NumberedLine(self._number, None if too_long else text)


def parse(line: NumberedLine) -> dict[str, Any]:
    """The line's object; raises UnreadableLine."""
    if line.text is None:
        raise UnreadableLine(f"longer than {LONGEST >> 20} MiB")
    try:
        row = json.loads(line.text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise UnreadableLine(f"not JSON: {error}") from None
    if not isinstance(row, dict):
        raise UnreadableLine("not an object")
    return row


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number in JSON")


def digest(format: str, row: dict[str, Any]) -> str:
    """The same for lines of one format that say the same, however they are written. Raises
    UnreadableLine for one that is nested too deep.
    """
    try:
        said = json.dumps([format, row], sort_keys=True)
    except RecursionError as error:
        raise UnreadableLine(f"nested too deep: {error}") from None
    return hashlib.sha256(said.encode()).hexdigest()


def written(row: dict[str, Any]) -> str:
    """An object as a line, its newline included."""
    return json.dumps(row, allow_nan=False) + "\n"
