"""The texts that the gate asks, appends and looks for: files of one item a line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from learner.gate_settings import GateSettings


class UnusableList(ValueError):
    """A list's file that is not there or holds nothing; the text names the key."""


@dataclass(frozen=True)
class Lists:
    """Plain prompts, triggers, and phrases that refuse, in lower case."""

    prompts: tuple[str, ...]
    triggers: tuple[str, ...]
    refusals: tuple[str, ...]

    @classmethod
    def read(cls, settings: GateSettings) -> Lists:
        """The files of the settings, or those that come along. Raises UnusableList."""
        refusals = _lines("refusals", settings.refusals)
        return cls(
            _lines("prompts", settings.prompts),
            _lines("triggers", settings.triggers),
            tuple(phrase.casefold() for phrase in refusals),
        )


def _lines(key: str, chosen: Path | None) -> tuple[str, ...]:
    """What is neither blank nor a comment (#)."""
    file = chosen or Path(__file__).parent / f"{key}.txt"
    try:
        found = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableList(f"learner.gate.{key}: {file} cannot be read: {error}") from error
    kept = tuple(line for line in found if line and not line.startswith("#"))
    if not kept:
        raise UnusableList(f"learner.gate.{key}: {file} holds no line to use")
    return kept
