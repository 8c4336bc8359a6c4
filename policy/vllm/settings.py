"""What can be set about vLLM."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

PLACES = ("{folder}", "{port}", "{name}")


def listed(value: Any) -> Any:
    """`a,b` as a variable or a flag gives it, as a list of two."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


class VllmSettings(BaseModel):
    """The `vllm` section."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    urls: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        default=(),
        description="Engines that serve the model, each with adapters on; each version is on all of"
        " them. In a variable or a flag: with commas between.",
    )
    command: str | None = Field(
        default=None,
        description="Starts an engine for a version with weights of its own, and stays with it:"
        " `{folder}`, `{port}` and `{name}` are filled in.",
    )
    engines: int = Field(
        default=2,
        ge=1,
        description="Engines that `command` may have running at a time: the one that answers, and"
        " the next one beside it. With more, versions to go back to stay at hand.",
    )

    @field_validator("urls")
    @classmethod
    def _urls_are_of_http(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"{url!r} is no address: http://HOST:PORT")
        if len(set(urls)) < len(urls):
            raise ValueError("an engine is named once")
        return tuple(url.rstrip("/") for url in urls)

    @field_validator("command")
    @classmethod
    def _command_says_where(cls, command: str | None) -> str | None:
        missing = [place for place in PLACES if command is not None and place not in command]
        if missing:
            raise ValueError(f"the command lacks {missing[0]}")
        return command
