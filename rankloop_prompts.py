"""`rankloop import --format prompts`: a file of prompts, in parts that the server takes.

It knows the file and not the server: what sends a part is given to it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rankloop_settings import UserError

PART_BYTES = 2**19
"""Of the lines of one part: the server takes a body of twice that."""
PART_LINES = 1000
TELL_AFTER_S = 2.0


@dataclass(frozen=True)
class Part:
    """Some of a file's prompts, each with the number of its line."""

    lines: tuple[int, ...]
    prompts: tuple[dict[str, Any], ...]


def parts(text: str) -> Iterator[Part]:
    """The file in parts; raises UserError naming the line that is no JSON object."""
    lines: list[int] = []
    prompts: list[dict[str, Any]] = []
    size = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        if prompts and (len(prompts) == PART_LINES or size + len(line.encode()) > PART_BYTES):
            yield Part(tuple(lines), tuple(prompts))
            lines, prompts, size = [], [], 0
        lines.append(number)
        prompts.append(_prompt(number, line))
        size += len(line.encode())
    if prompts:
        yield Part(tuple(lines), tuple(prompts))


def _prompt(number: int, line: str) -> dict[str, Any]:
    try:
        prompt = json.loads(line)
    except ValueError as error:
        raise UserError(f"line {number} is not JSON: {error}") from None
    if not isinstance(prompt, dict):
        raise UserError(f"line {number} is no JSON object: {line[:80]}")
    return prompt


def send(text: str, name: str, post: Callable[..., Any]) -> tuple[int, int]:
    """Posts every part; returns how many prompts were new to the set, and how many it had.

    Raises UserError for a line that is no prompt; what stands before its part is imported then,
    and importing the file again brings the rest.
    """
    added = known = 0
    whole = list(parts(text))
    started = time.monotonic()
    for place, part in enumerate(whole, start=1):
        try:
            answer = post(set=name, prompts=part.prompts)
        except UserError as error:
            raise UserError(f"lines {part.lines[0]} to {part.lines[-1]}: {error}") from None
        added += answer["added"]
        known += answer["known"]
        if time.monotonic() - started > TELL_AFTER_S:
            sys.stderr.write(f"{place} of {len(whole)} parts are imported\n")
    return added, known
