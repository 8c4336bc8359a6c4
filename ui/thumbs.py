"""Thumbs in the conversation: up or down, and why."""

from __future__ import annotations

from dataclasses import dataclass

from ui.client import Client
from ui.memory import Conversation
from ui.nodes import Node, node


@dataclass(frozen=True)
class Thumb:
    """What a person thinks of one answer of their conversation; `place` is the turn's."""

    place: int
    up: bool

    @classmethod
    def of(cls, action: str, id: str) -> Thumb:
        """From a button's names."""
        return cls(int(id), action == "up")


async def give(
    client: Client, conversation: Conversation, thumb: Thumb, person: str | None
) -> Conversation:
    """Record it; the turn remembers it. Raises ApiError."""
    turn = conversation.turns[thumb.place]
    assert turn.candidate is not None, "only an answer on record has thumbs"
    await client.thumb(turn.candidate, thumb.up, person=person)
    turn.thumb = thumb.up
    conversation.thumbed = thumb.place
    return conversation


async def explain(
    client: Client, conversation: Conversation, why: str, person: str | None
) -> Conversation:
    """Say why of the last thumb, which it replaces on record. Raises ApiError."""
    place = conversation.thumbed
    turn = conversation.turns[place] if place is not None else None
    if turn is not None and turn.candidate is not None and turn.thumb is not None:
        await client.thumb(turn.candidate, turn.thumb, person=person, comment=why)
    conversation.thumbed = None
    return conversation


def buttons(place: int, thumb: bool | None) -> list[Node]:
    """For a turn's foot; the pressed one is what the person said."""
    return [
        node(
            "button",
            "rl-act",
            text,
            type="button",
            data_action=action,
            data_id=place,
            aria_pressed="true" if thumb is up else "false",
            aria_label=f"{text} answer",
        )
        for action, up, text in (("up", True, "Good"), ("down", False, "Bad"))
    ]
