"""What bodies may say about the labelling queue."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from ..wire import MAX_MESSAGES, Name, Reason, Text, Turn, Wire

MAX_PROMPTS = 10_000


class SkipRequest(Wire):
    """The body of POST /v1/tasks/{id}/skip: why. With `next` the answer holds the next item."""

    reason: Reason
    next: bool = False
    user: Name | None = None


class RenewRequest(Wire):
    """The body of POST /v1/tasks/{id}/renew: who is still at it."""

    user: Name | None = None


class GoldRequest(Wire):
    """The body of POST /v1/tasks/gold: answers by id, or all of one completion in order, and the
    rank that each should get."""

    candidates: list[Name] | None = Field(None, min_length=1, max_length=64)
    completion_id: Name | None = None
    ranks: list[int | None] = Field(min_length=1, max_length=64)


class PromptBody(Wire):
    """A prompt: messages, the last of them a user's, or that one's text alone."""

    messages: list[Turn] | None = Field(None, min_length=1, max_length=MAX_MESSAGES)
    prompt: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _has_one_of_them(cls, value: Any) -> Any:
        if isinstance(value, dict) and (value.get("messages") is None) == (
            value.get("prompt") is None
        ):
            raise ValueError("give either messages or a prompt")
        return value


class PromptsRequest(Wire):
    """The body of POST /v1/prompts: prompts of a set, which takes none of them twice. Their answers
    are ranked by each of the criteria, as a whole without any."""

    set: Name = "default"
    criteria: list[Name] = Field([], max_length=16)
    prompts: list[PromptBody] = Field(min_length=1, max_length=MAX_PROMPTS)
    user: Name | None = None
