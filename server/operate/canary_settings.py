"""What can be set about trying a version on some of the people."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class CanarySettings(BaseModel):
    """The `server.canary` section."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(
        default=0.1,
        gt=0,
        le=0.5,
        description="Share of the people whose chats a canary answers: few meet a bad one.",
    )
    least: int = Field(
        default=20,
        ge=1,
        description="Untied comparisons with the live version before anything is decided.",
    )
    error: float = Field(
        default=0.05,
        gt=0,
        le=0.5,
        description="How often two versions that are equally good may be told apart, however long"
        " the trial.",
    )
