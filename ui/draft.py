"""A demonstration in the making: a conversation whose answers are as they should be."""

from __future__ import annotations

from pydantic import BaseModel, Field

from ui.client import Message
from ui.memory import Remembered, new_id


class Suggested(BaseModel):
    """An answer of the model that a person began from: it counts as edited as long as it answers
    the same messages.
    """

    candidate: str
    after: int


class Draft(Remembered):
    """The turns so far, a person's and the assistant's by turns, and what is being written. `key`
    makes saving it twice harmless.
    """

    key: str = Field(default_factory=new_id)
    system: str = ""
    turns: list[str] = Field(default_factory=list)
    suggested: Suggested | None = None

    @property
    def answering(self) -> bool:
        """Whether the assistant speaks next."""
        return len(self.turns) % 2 == 1

    def add(self, text: str) -> None:
        """Let who is next say it; an empty text says nothing."""
        if text.strip():
            self.turns.append(text.strip())
            self.key = new_id()

    def take_back(self) -> str:
        """Remove the last turn and return it; an empty text where there is none."""
        self.key = new_id()
        said = self.turns.pop() if self.turns else ""
        if self.suggested is not None and self.suggested.after > len(self.turns):
            self.suggested = None
        return said

    def suggest(self, candidate: str | None) -> None:
        """The next answer begins as this candidate."""
        after = len(self.turns)
        self.suggested = Suggested(candidate=candidate, after=after) if candidate else None

    def messages(self) -> list[Message]:
        """In OpenAI's shape."""
        before = [Message(role="system", content=self.system)] if self.system.strip() else []
        roles = ("user", "assistant")
        said = [Message(role=roles[i % 2], content=text) for i, text in enumerate(self.turns)]
        return before + said

    @property
    def finished(self) -> bool:
        """Whether it ends with an answer, and so shows something."""
        return bool(self.turns) and not self.answering

    @property
    def candidate(self) -> str | None:
        """The answer that the last one is an edited version of."""
        last = len(self.turns) - 1
        edited = self.suggested is not None and self.suggested.after == last
        return self.suggested.candidate if edited and self.suggested else None
