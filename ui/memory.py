"""What the browser remembers for a person: the conversation, an unfinished ranking, the news.

These values live in the browser's storage and come back with every event, so that a reload or a
restart of the UI process loses nothing that was said. They are a person's own, so whoever edits
them fools only themselves; a value that does not fit is forgotten.
"""

from __future__ import annotations

import uuid
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ui.client import Message
from ui.wire import Version


def new_id() -> str:
    """A name nobody else has, for a conversation or for one submission of a ranking."""
    return uuid.uuid4().hex


class Remembered(BaseModel):
    """Base of what is stored in the browser."""

    model_config = ConfigDict(extra="ignore")

    @classmethod
    def recall(cls, value: Any) -> Self:
        """The stored value, or a fresh one where it is missing or from another time."""
        try:
            return cls.model_validate(value or {})
        except ValidationError:
            return cls()

    def keep(self) -> dict[str, Any]:
        """The value to store."""
        return self.model_dump(mode="json")


class Turn(BaseModel):
    """One thing said; an answer knows its version and how many it was chosen from."""

    role: Literal["user", "assistant"]
    text: str
    version: str | None = None
    candidate: str | None = None
    chosen_of: int = 1
    ranked: bool = False
    stopped: bool = False
    thumb: bool | None = None


class Answer(BaseModel):
    """One answer among several that wait to be ranked."""

    candidate: str | None = None
    text: str = ""
    version: str | None = None
    done: bool = False


class Comparison(BaseModel):
    """Answers to one prompt, shown side by side; `key` makes submitting them twice harmless."""

    key: str = Field(default_factory=new_id)
    answers: list[Answer]


class Conversation(Remembered):
    """The turns so far; while answers are awaited or unranked the last turn is the person's.

    `system` stands before them; `thumbed` is the turn whose thumb may still be explained.
    """

    id: str = Field(default_factory=new_id)
    turns: list[Turn] = []
    comparison: Comparison | None = None
    system: str = ""
    thumbed: int | None = None

    @property
    def unanswered(self) -> bool:
        """Whether the person spoke last and nothing waits to be ranked."""
        return bool(self.turns) and self.turns[-1].role == "user" and self.comparison is None

    def messages(self) -> list[Message]:
        """What the model is given."""
        before = [Message(role="system", content=self.system)] if self.system.strip() else []
        return before + [Message(role=turn.role, content=turn.text) for turn in self.turns]

    def say(self, text: str) -> None:
        """Add what the person said; a message still unanswered becomes longer."""
        if self.unanswered:
            self.turns[-1].text += f"\n{text}"
        else:
            self.turns.append(Turn(role="user", text=text))

    def hear(self, heard: Comparison, *, stopped: bool = False) -> str | None:
        """Take in what the model said: one answer is a turn, several wait to be ranked.

        Returns a sentence where nothing could be taken in: several answers that were stopped cannot
        be ranked, because they were never recorded.
        """
        only = heard.answers[0] if len(heard.answers) == 1 else None
        if only is not None and only.text:
            self.turns.append(_turn(only, stopped=stopped))
        elif stopped:
            return "Stopped."
        elif only is not None:
            return "The answer was empty."
        else:
            self.comparison = heard
        return None

    def go_on(self, chosen: int | None, *, ranked: bool) -> None:
        """Close the comparison and go on with the chosen answer, or with none."""
        assert self.comparison is not None, "nothing is being compared"
        answers = self.comparison.answers
        self.comparison = None
        if chosen is not None:
            turn = _turn(answers[chosen], ranked=ranked)
            turn.chosen_of = len(answers)
            self.turns.append(turn)

    def take_back(self) -> str:
        """Remove the unanswered message and return it."""
        return self.turns.pop().text if self.unanswered else ""

    def rewind(self, place: int) -> str:
        """Go back to before a message and return it, to be said otherwise: the conversation goes on
        from there, and what came after stays on record as another branch.
        """
        if not 0 <= place < len(self.turns) or self.turns[place].role != "user":
            return ""
        said, self.turns = self.turns[place].text, self.turns[:place]
        self.comparison = self.thumbed = None
        return said

    def ask_again(self) -> bool:
        """Take back the last answer, to have another; whether there was one."""
        if self.comparison is not None or not self.turns or self.turns[-1].role != "assistant":
            return False
        self.turns.pop()
        self.thumbed = None
        return True


def _turn(answer: Answer, *, stopped: bool = False, ranked: bool = False) -> Turn:
    return Turn(
        role="assistant",
        text=answer.text,
        version=answer.version,
        candidate=answer.candidate,
        stopped=stopped,
        ranked=ranked,
    )


class Asked(Remembered):
    """The conversation up to the prompt whose answers were ranked last."""

    messages: list[Message] = []


class Seen(Remembered):
    """The version that this browser last knew to be live."""

    version: str | None = None

    def misses(self, live: Version) -> bool:
        """Whether the live version is another one: the first that a browser sees counts at once,
        so that the next is news; a later one once it answers."""
        return live.id != self.version and (live.resident or self.version is None)
