"""Groups of token ids as the texts that another program's model reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from learner.batching import Group, Ids
from policy.chat import Chat

Exchange = tuple[str, str]
"""What a user said last, and a reply to it."""


class Reader:
    """Knows what was said last in each prompt, and how replies are decoded."""

    def __init__(self, chat: Chat, said: Mapping[Ids, str]) -> None:
        self.chat = chat
        self.said = said

    def read(self, groups: Sequence[Group]) -> list[Exchange]:
        """One exchange for each reply, in order; a prompt that is not known was silent."""
        return [
            (self.said.get(group.prompt, ""), self.chat.decode(reply))
            for group in groups
            for reply in group.replies
        ]
