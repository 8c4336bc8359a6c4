"""Conversations to learn from, as token ids with a mask. Knows no model and no loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from learner.batching import Group, Ids
from policy.chat import Chat, Message, TurnsMove


@dataclass(frozen=True)
class Demonstration:
    """A conversation; `mask` is as long as `ids`, 1 on an assistant's tokens, its end-of-turn token
    included. The first token is never one: nothing stands before it to predict it from.
    """

    ids: Ids
    mask: tuple[int, ...]

    def __post_init__(self) -> None:
        assert len(self.ids) == len(self.mask), "every token is masked or not"
        assert self.ids, "a conversation has tokens"
        assert not self.mask[0], "a conversation begins with somebody else"

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def answered(self) -> int:
        """Tokens that are learned."""
        return sum(self.mask)


def of_reply(group: Group) -> Demonstration:
    """A prompt with its first reply."""
    prompt, reply = group.prompt, group.replies[0]
    return Demonstration((*prompt, *reply), (0,) * len(prompt) + (1,) * len(reply))


def of_conversation(chat: Chat, messages: Sequence[Message], longest: int) -> list[Demonstration]:
    """The conversation in one piece, as the template renders it.

    Where the template moves turns, or the whole is longer than `longest` tokens, it is one piece
    for each answer, as it would be asked for and given; pieces that are still too long are left
    out.
    """
    try:
        ids, mask = chat.encode_conversation(messages)
        if len(ids) <= longest:
            return [Demonstration(tuple(ids), tuple(mask))]
    except TurnsMove:
        pass
    pieces = [
        of_reply(Group(tuple(chat.encode(messages[:i])), (tuple(chat.encode_reply(turn.content)),)))
        for i, turn in enumerate(messages)
        if turn.role == "assistant"
    ]
    return [piece for piece in pieces if len(piece) <= longest]


def prompts_of(chat: Chat, messages: Sequence[Message]) -> list[Ids]:
    """What each of the conversation's answers answers."""
    answers = [i for i, turn in enumerate(messages) if turn.role == "assistant"]
    return [tuple(chat.encode(messages[:i])) for i in answers]
