"""Which format a file is of, told from a line of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import own
from .formats import FORMATS, OWN
from .values import UnreadableLine

LIKELIEST = (
    "openai-preference",
    "ultrafeedback",
    "oasst",
    "trl-unpaired",
    "trl-preference",
    "hh",
    "trl-prompt-completion",
    "openai-messages",
)
"""What asks for more comes first: a thumb's line can be read as a demonstration as well."""


def guess(row: Mapping[str, Any]) -> str | None:
    """The first format that the line can be read as; None where there is none."""
    if row.get("type") == own.FORMAT:
        return OWN
    return next((name for name in LIKELIEST if _reads(name, row)), None)


def _reads(name: str, row: Mapping[str, Any]) -> bool:
    try:
        FORMATS[name].read(row)
    except UnreadableLine:
        return False
    return True
