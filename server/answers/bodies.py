"""What a request for answers may say, in OpenAI's words and some of vLLM's. What is not known is
ignored; what would change the answer and cannot be done is refused.

Bounds that do not depend on settings are checked here, before anything is tokenised; `check` holds
the others.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from ..errors import ApiError, refused
from ..settings import ServerSettings
from ..wire import MAX_MESSAGES, Content, Name, Text, Wire

MAX_PROMPTS = 256
MAX_STOPS = 4
MAX_STOP_IDS = 64
MAX_BIASES = 300
MAX_STOP_CHARACTERS = 256
INT64 = 2**63
USUAL_TEXT_TOKENS = 16

One = TypeVar("One")
Some = Annotated[list[One], Field(min_length=1, max_length=MAX_PROMPTS)]
TokenId = Annotated[int, Field(ge=0, lt=2**31)]
TokenIds = Annotated[list[TokenId], Field(min_length=1)]


def listed(stop: Any) -> Any:
    """One stop sequence as a list of one."""
    return [stop] if isinstance(stop, str) else stop


class ChatMessage(Wire):
    """One turn. An assistant's that only called tools has a null for its text."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content | None = Field(validate_default=True, default=None)

    @field_validator("content")
    @classmethod
    def _only_assistants_say_nothing(cls, content: str | None, info: ValidationInfo) -> str:
        if content is None and info.data.get("role") != "assistant":
            raise ValueError("a text is needed")
        return content or ""


class StreamOptions(Wire):
    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None


class Sampled(Wire):
    """How answers are drawn, in chat and in plain completions alike. A null is the same as a field
    left out."""

    model: str
    n: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    stop: Annotated[
        list[str] | None, BeforeValidator(listed, json_schema_input_type=str | list[str] | None)
    ] = None
    seed: int | None = Field(None, ge=-INT64, lt=INT64)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
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
        for id, value in (bias or {}).items():
            if value and not (id.isascii() and id.isdigit() and len(id) < 10):
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
    def conversation(self) -> str | None:
        """The client's own name for the conversation that this is a turn of."""
        return (self.metadata or {}).get("conversation_id")

    @property
    def stops(self) -> tuple[str, ...]:
        return tuple(self.stop or ())

    @property
    def biases(self) -> tuple[tuple[int, float], ...]:
        return tuple((int(id), value) for id, value in (self.logit_bias or {}).items() if value)

    @property
    def wants_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def wants_usage_always(self) -> bool:
        return self.wants_usage and bool(
            self.stream_options and self.stream_options.continuous_usage_stats
        )

    def check_bounds(
        self, settings: ServerSettings, longest: tuple[str, int | None], unsupported: dict[str, Any]
    ) -> None:
        """Raises ApiError for what this server's settings, or its engine, do not allow; `longest`
        is the bound on an answer's tokens by its field's name."""
        name, tokens = longest
        if self.choices > settings.max_n:
            raise refused("n", self.n, f"is above this server's bound of {settings.max_n}")
        if tokens is not None and tokens > settings.max_tokens:
            raise refused(name, tokens, f"is above the bound of {settings.max_tokens}")
        least = self.min_tokens or 0
        if least > (settings.max_tokens if tokens is None else tokens):
            raise refused("min_tokens", least, "is above the bound on the answer's tokens")
        for param, value in unsupported.items():
            if value:
                message = f"'{param}' is not supported by this server."
                raise ApiError(400, message, param=param, code="unsupported_parameter")


class ChatRequest(Sampled):
    """The body of POST /v1/chat/completions."""

    messages: list[ChatMessage] = Field(min_length=1, max_length=MAX_MESSAGES)
    max_tokens: int | None = Field(None, ge=0)
    max_completion_tokens: int | None = Field(None, ge=0)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: dict[str, Any] | None = None
    tools: list[Any] | None = None
    tool_choice: Any = None
    functions: list[Any] | None = None
    function_call: Any = None
    modalities: list[str] | None = None

    @property
    def bound(self) -> int | None:
        """The answer's bound in tokens, under its new name or its old one."""
        newer = self.max_completion_tokens
        return self.max_tokens if newer is None else newer

    @property
    def longest(self) -> int | None:
        """The bound as it is asked of the engine: one token is drawn even where none is wanted."""
        return None if self.bound is None else max(self.bound, 1)

    @property
    def silent(self) -> bool:
        return self.bound == 0

    @property
    def tells(self) -> bool:
        """Whether the answer's log-probabilities are wanted."""
        return bool(self.logprobs)

    @property
    def top(self) -> int:
        return self.top_logprobs or 0

    @property
    def unsupported(self) -> dict[str, Any]:
        """What would change the answer and cannot be served."""
        plain_format = (self.response_format or {}).get("type", "text") == "text"
        return {
            "response_format": None if plain_format else self.response_format,
            "tools": None if self.tool_choice == "none" else self.tools,
            "functions": None if self.function_call == "none" else self.functions,
            "modalities": None if "text" in (self.modalities or ()) else self.modalities,
        }

    def check(self, settings: ServerSettings) -> None:
        """Raises ApiError."""
        name = "max_tokens" if self.max_completion_tokens is None else "max_completion_tokens"
        self.check_bounds(settings, (name, self.longest), self.unsupported)
        if self.top_logprobs and not self.logprobs:
            raise refused("top_logprobs", self.top_logprobs, "needs 'logprobs' to be true")


class TextRequest(Sampled):
    """The body of POST /v1/completions: one prompt or several, each text or token ids.

    No chat template is applied, and a `suffix` has no effect. `echo` gives the prompt back before
    the answer, with its own log-probabilities where `logprobs` asks for any; with `max_tokens` 0 it
    is all there is.
    """

    prompt: Text | Some[Text] | TokenIds | Some[TokenIds]
    max_tokens: int | None = Field(None, ge=0)
    logprobs: int | None = Field(None, ge=0, le=20)
    echo: bool | None = None
    best_of: int | None = Field(None, ge=0)

    @property
    def prompts(self) -> list[str | list[int]]:
        """Each prompt by itself."""
        if isinstance(self.prompt, str):
            return [self.prompt]
        if isinstance(self.prompt[0], int):
            return [[id for id in self.prompt if isinstance(id, int)]]
        return [prompt for prompt in self.prompt if isinstance(prompt, str | list)]

    @property
    def longest(self) -> int:
        """The answer's bound in tokens. One is drawn even where none is wanted, and left out."""
        return USUAL_TEXT_TOKENS if self.max_tokens is None else max(self.max_tokens, 1)

    @property
    def silent(self) -> bool:
        return self.max_tokens == 0

    @property
    def tells(self) -> bool:
        """Whether the answer's log-probabilities are wanted."""
        return self.logprobs is not None

    @property
    def top(self) -> int:
        return self.logprobs or 0

    @property
    def scores_prompt(self) -> bool:
        return bool(self.echo) and self.logprobs is not None

    def check(self, settings: ServerSettings) -> None:
        """Raises ApiError."""
        best_of = None if self.best_of == self.choices else self.best_of
        self.check_bounds(settings, ("max_tokens", self.longest), {"best_of": best_of})


class TokenizeRequest(Wire):
    """The body of POST /tokenize, as vLLM's: a text, or messages as a chat would render them."""

    model: str = "rankloop"
    prompt: Text | None = None
    messages: list[ChatMessage] | None = Field(None, min_length=1, max_length=MAX_MESSAGES)
    add_special_tokens: bool = True


class DetokenizeRequest(Wire):
    """The body of POST /detokenize."""

    model: str = "rankloop"
    tokens: list[TokenId]
