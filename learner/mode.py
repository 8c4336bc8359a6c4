"""What follows a passed gate, by the setting `learner.mode`. Light."""

from __future__ import annotations

from typing import Literal

Mode = Literal["auto", "canary", "manual", "apprentice"]

PASSED = "promoted"
"""How a round ends whose version passed the gate, as the round itself knows it."""

AFTER: dict[Mode, str] = {
    "auto": "promoted",
    "canary": "canary",
    "manual": "verified",
    "apprentice": "shadow",
}
"""The outcome by mode: the version serves all, or some of the people, or waits for a person's word,
or stays where nobody sees it."""


def outcome(ended: str, mode: Mode) -> str:
    """How the round is put on record."""
    return AFTER[mode] if ended == PASSED else ended
