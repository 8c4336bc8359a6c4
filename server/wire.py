"""What a chat request may say, in OpenAI's words. Whatever else a body holds is ignored.

Bounds that do not depend on settings are checked here, before anything is tokenised; `check` holds
the others.
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
    field_validator,
)

from .errors import ApiError, refused
from .settings import ServerSettings

MAX_MESSAGES = 1024
MAX_STOPS = 4
MAX_STOP_IDS = 64
MAX_BIASES = 300
MAX_STOP_CHARACTERS = 256
INT64 = 2**63


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


def listed(stop: Any) -> Any:
    """One stop sequence as a list of one."""
    return [stop] if isinstance(stop, str) else stop


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


class ChatMessage(Wire):
    role: Literal["system", "developer", "user", "assistant"]
    content: Content


class StreamOptions(Wire):
    include_usage: bool | None = None


class ChatRequest(Wire):
    """The body of POST /v1/chat/completions. A null is the same as a field left out."""

    model: str
    messages: list[ChatMessage] = Field(min_length=1, max_length=MAX_MESSAGES)
    n: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    stop: Annotated[
        list[str] | None, BeforeValidator(listed, json_schema_input_type=str | list[str] | None)
    ] = None
    seed: int | None = Field(None, ge=-INT64, lt=INT64)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    user: Name | None = None
    metadata: dict[str, Text] | None = Field(None, max_length=16)
    store: bool | None = None
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = Field(
        None, max_length=MAX_BIASES
    )
    # What vLLM takes beside OpenAI's.
    top_k: int | None = Field(None, ge=-1, lt=INT64)
    min_p: float | None = Field(None, ge=0, le=1)
    repetition_penalty: float | None = Field(None, ge=0.01, le=10)
    min_tokens: int | None = Field(None, ge=0)
    stop_token_ids: list[int] | None = Field(None, max_length=MAX_STOP_IDS)
    ignore_eos: bool | None = None
    response_format: dict[str, Any] | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    modalities: list[str] | None = None

    @field_validator("stop")
    @classmethod
    def _stops_are_few_and_short(cls, stop: list[str] | None) -> list[str] | None:
        if stop is not None and len(stop) > MAX_STOPS:
            raise ValueError(f"at most {MAX_STOPS} stop sequences are possible")
        if any(not 1 <= len(text) <= MAX_STOP_CHARACTERS for text in stop or ()):
            raise ValueError(f"a stop sequence has 1 to {MAX_STOP_CHARACTERS} characters")
        return stop

    @field_validator("logit_bias")
    @classmethod
    def _biases_are_for_tokens(cls, bias: dict[str, float] | None) -> dict[str, float] | None:
        for id in bias or ():
            if not (id.isascii() and id.isdigit() and len(id) < 10):
                raise ValueError(f"{id!r} is no token id")
        return bias

    @field_validator("metadata")
    @classmethod
    def _metadata_is_short(cls, metadata: dict[str, str] | None) -> dict[str, str] | None:
        for key, value in (metadata or {}).items():
            if len(key) > 64 or len(value) > 512:
                raise ValueError("keys have at most 64 characters and values at most 512")
            if key == "conversation_id" and not 1 <= len(value) <= 256:
                raise ValueError("conversation_id has 1 to 256 characters")
        return metadata

    @property
    def choices(self) -> int:
        return 1 if self.n is None else self.n

    @property
    def longest(self) -> int | None:
        """The answer's bound in tokens, under its new name or its old one."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def stops(self) -> tuple[str, ...]:
        return tuple(self.stop or ())

    @property
    def biases(self) -> tuple[tuple[int, float], ...]:
        return tuple((int(id), value) for id, value in (self.logit_bias or {}).items())

    @property
    def wants_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def unsupported(self) -> dict[str, object]:
        """What would change the answer and cannot be served: refused, so that nobody believes it
        was done."""
        plain_format = (self.response_format or {}).get("type", "text") == "text"
        given = {
            "response_format": None if plain_format else self.response_format,
            "tools": self.tools,
            "functions": self.functions,
            "modalities": None if self.modalities == ["text"] else self.modalities,
        }
        return {name: value for name, value in given.items() if value}

    def check(self, settings: ServerSettings) -> None:
        """Raises ApiError for what this server's settings, or its engine, do not allow."""
        if self.choices > settings.max_n:
            raise refused("n", self.n, f"is above this server's bound of {settings.max_n}")
        if self.longest is not None and self.longest > settings.max_tokens:
            name = "max_completion_tokens" if self.max_completion_tokens else "max_tokens"
            raise refused(name, self.longest, f"is above the bound of {settings.max_tokens}")
        if self.top_logprobs and not self.logprobs:
            raise refused("top_logprobs", self.top_logprobs, "needs 'logprobs' to be true")
        least = self.min_tokens or 0
        if least > (self.longest or settings.max_tokens):
            raise refused("min_tokens", least, "is above the bound on the answer's tokens")
        for param in self.unsupported:
            message = f"'{param}' is not supported by this server."
            raise ApiError(400, message, param=param, code="unsupported_parameter")


class RankingRequest(Wire):
    """The body of POST /v1/rankings: candidates by id, or all of one completion in order, and a
    rank for each."""

    candidates: list[Name] | None = Field(None, min_length=1, max_length=64)
    completion_id: Name | None = None
    ranks: list[int | None] = Field(min_length=1, max_length=64)
    none_acceptable: bool = False
    ratings: dict[str, list[float | None]] | None = Field(None, max_length=16)
    comment: Comment | None = None
    task_id: Name | None = None
    user: Name | None = None


class RoundRequest(Wire):
    """The body of POST /v1/rounds. Without stages the round runs those that are due."""

    stages: list[Literal["sft", "reward", "ppo"]] | None = Field(None, min_length=1)
    user: Name | None = None


class OperatorRequest(Wire):
    """Who pauses, resumes or cancels."""

    user: Name | None = None


class ReasonRequest(Wire):
    """The body of promote, reject and rollback: why."""

    reason: Reason
    user: Name | None = None
