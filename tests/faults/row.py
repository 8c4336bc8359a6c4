"""A line of the table: what is broken, how, and what runs it."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.ground import Folder

_numbers = itertools.count()


@dataclass(frozen=True)
class Row:
    """`run` gives what does not stand after the fault, in words; nothing is good."""

    name: str
    fault: str
    run: Callable[[], list[str]]


def alone(
    name: str, fault: str, start: Callable[[], Folder], run: Callable[[Folder], list[str]]
) -> Row:
    """A row with a data folder to itself, a copy of that one."""

    def in_a_copy() -> list[str]:
        folder = start().copy(f"row{next(_numbers)}")
        try:
            return run(folder)
        finally:
            folder.close()
            shutil.rmtree(folder.data, ignore_errors=True)

    return Row(name, fault, in_a_copy)
