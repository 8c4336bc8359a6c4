"""The formats by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from . import hh, oasst, openai, trl, ultrafeedback
from .values import Compared, Judged, Said, Shown
from .writing import Line


@dataclass(frozen=True)
class Format:
    """How what was said becomes lines, of which kinds it holds some, and how a line is read."""

    holds: tuple[type[Said], ...]
    write: Callable[[Said], Iterator[Line]]
    read: Callable[[Mapping[str, Any]], Sequence[Said]]


OWN = "rankloop"
"""The format that is made of rows, not of what they say: feedback/exchange/own.py."""

FORMATS: Mapping[str, Format] = {
    "trl-preference": Format((Compared,), trl.write_preference, trl.read_preference),
    "trl-unpaired": Format((Judged,), trl.write_unpaired, trl.read_unpaired),
    "trl-prompt-completion": Format(
        (Shown,), trl.write_prompt_completion, trl.read_prompt_completion
    ),
    "openai-messages": Format((Shown,), openai.write_messages, openai.read_messages),
    "openai-preference": Format((Compared,), openai.write_preference, openai.read_preference),
    "hh": Format((Compared,), hh.write, hh.read),
    "oasst": Format((Compared,), oasst.write, oasst.read),
    "ultrafeedback": Format((Compared, Judged), ultrafeedback.write, ultrafeedback.read),
}

FormatName = Literal[
    "rankloop",
    "trl-preference",
    "trl-unpaired",
    "trl-prompt-completion",
    "openai-messages",
    "openai-preference",
    "hh",
    "oasst",
    "ultrafeedback",
]
NAMES: tuple[str, ...] = get_args(FormatName)
