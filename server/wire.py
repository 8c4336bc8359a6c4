"""What bodies from outside may say: the types that all share, and feedback's and operators' bodies.

Whatever else a body holds is ignored. Bounds that do not depend on settings are checked here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

MAX_MESSAGES = 1024


def storable(text: str) -> str:
    """Text that a tokenizer and every database can take: no half surrogate pair, no NUL."""
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("text must not hold NUL or half of a surrogate pair")
    return text


def joined(content: Any) -> Any:
    """OpenAI's list of text parts as one text, a part to a line. What is no such list is left to
    the type."""
    if not isinstance(content, list):
        return content
    for part in content:
        if not isinstance(part, dict) or part.get("type") != "text":
            raise ValueError("this model takes text parts only")
        if not isinstance(part.get("text"), str):
            raise ValueError("a text part needs a text")
    return "\n".join(part["text"] for part in content)


class TextPart(BaseModel):
    """One part of a message."""

    type: Literal["text"]
    text: str


Text = Annotated[str, AfterValidator(storable)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(storable)]
Comment = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(storable)]
Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=2000),
    AfterValidator(storable),
]
Content = Annotated[
    str,
    AfterValidator(storable),
    BeforeValidator(joined, json_schema_input_type=str | list[TextPart]),
]


class Wire(BaseModel):
    """A body from outside: types as they are written, no number from a string; unknown fields are
    ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


class RankingRequest(Wire):
    """The body of POST /v1/rankings: candidates by id, or all of one completion in order, and a
    rank for each. `shown` and what follows it say how the ranking came about; with `next` the
    answer holds the person's next item."""

    candidates: list[Name] | None = Field(None, min_length=1, max_length=64)
    completion_id: Name | None = None
    ranks: list[int | None] = Field(min_length=1, max_length=64)
    criterion: Name | None = None
    none_acceptable: bool = False
    ratings: dict[str, list[float | None]] | None = Field(None, max_length=16)
    comment: Comment | None = None
    task_id: Name | None = None
    shown: list[Name] | None = Field(None, min_length=1, max_length=64)
    blind: bool | None = None
    seconds: float | None = Field(None, ge=0)
    input: Literal["keys", "mouse", "touch"] | None = None
    guidelines: Name | None = None
    next: bool = False
    user: Name | None = None


class ThumbRequest(Wire):
    """The body of POST /v1/thumbs: whether an answer is good, and why."""

    candidate: Name
    up: bool
    comment: Comment | None = None
    user: Name | None = None


class RatingRequest(Wire):
    """The body of POST /v1/ratings: an answer's ratings by criterion."""

    candidate: Name
    ratings: dict[str, float] = Field(min_length=1, max_length=16)
    user: Name | None = None


class Turn(Wire):
    """One turn of a demonstration; a developer speaks as the system does."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Content


class DemonstrationRequest(Wire):
    """The body of POST /v1/demonstrations: a conversation whose answers are as they should be; with
    `candidate`, the id of the answer that was edited."""

    messages: list[Turn] = Field(min_length=1, max_length=MAX_MESSAGES)
    conversation_id: Name | None = None
    candidate: Name | None = None
    source: Literal["written", "edited", "both_sides", "imported"] | None = None
    user: Name | None = None


class RoundRequest(Wire):
    """The body of POST /v1/rounds. Without stages the round runs those that are due; one that
    fine-tunes does that alone. With `repeat` it has the inputs of that round, but for what the
    people in `without` had said."""

    stages: list[Literal["sft", "reward", "ppo"]] | None = Field(None, min_length=1)
    repeat: int | None = Field(None, ge=1, lt=2**31)
    without: list[Name] = Field([], max_length=256)
    user: Name | None = None

    @field_validator("repeat")
    @classmethod
    def _has_the_stages_that_it_had(cls, repeat: int | None, info: ValidationInfo) -> int | None:
        if repeat is not None and info.data.get("stages") is not None:
            raise ValueError("a round that is repeated has the stages that it had: leave `stages`")
        return repeat

    @field_validator("without")
    @classmethod
    def _is_of_a_repeat(cls, without: list[Name], info: ValidationInfo) -> list[Name]:
        if without and info.data.get("repeat") is None:
            raise ValueError("people are left out of a round that is repeated: say which, `repeat`")
        return without


class ConsentRequest(Wire):
    """The body of PUT /v1/me/consent: yes to a version of the text, or no."""

    given: bool
    version: Name | None = Field(None, validate_default=True)
    user: Name | None = None

    @field_validator("version")
    @classmethod
    def _is_named_with_a_yes(cls, version: str | None, info: ValidationInfo) -> str | None:
        if version is None and info.data.get("given"):
            raise ValueError("a yes names the version of the text that was read")
        return version


class OperatorRequest(Wire):
    """Who pauses, resumes or cancels."""

    user: Name | None = None


class ReasonRequest(Wire):
    """The body of every decision on a version: why."""

    reason: Reason
    user: Name | None = None


class RollbackRequest(ReasonRequest):
    """The body of POST /v1/versions/rollback. With `quarantine` no round learns any more from
    rankings of the bad version's answers."""

    quarantine: bool = False


class CanaryRequest(ReasonRequest):
    """The body of POST /v1/versions/{id}/canary: on which share of the people, if not on the one
    that is set."""

    share: float | None = Field(None, gt=0, le=0.5)
