"""What can be set about the labelling queue."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from . import guidelines as text


class TaskSettings(BaseModel):
    """The `server.tasks` section."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ready: int = Field(
        default=8,
        ge=0,
        le=1000,
        description="Items answered ahead for each person who labels, so that nobody waits for a"
        " model; 0 answers none.",
    )
    answers: int = Field(
        default=4,
        ge=2,
        le=9,
        description="Answers in an item: four give six comparisons for twice the reading of two.",
    )
    drawn: int = Field(
        default=8,
        ge=2,
        le=32,
        description="Answers drawn for an item where `server.pairing` is informative, of which"
        " `answers` are shown.",
    )
    labels: int = Field(
        default=1, ge=1, le=100, description="People who rank an item: more items teach more."
    )
    shared: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Share of items that two people more rank, to see how far people agree.",
    )
    gold: float = Field(
        default=0.05,
        ge=0,
        le=0.5,
        description="Share of items whose right ranks are known, as long as there are any.",
    )
    repeats: float = Field(
        default=0.05,
        ge=0,
        le=0.5,
        description="Share of items that a person ranked before, to see whether they still agree.",
    )
    lease_s: float = Field(
        default=900.0,
        gt=0,
        description="Seconds that an item stays with a person; then another may be given it.",
    )
    guidelines: Path | None = Field(
        default=None,
        description="Text file that tells people what a good answer is. Without it a short text of"
        " our own.",
    )

    @field_validator("guidelines")
    @classmethod
    def _guidelines_can_be_read(cls, path: Path | None) -> Path | None:
        try:
            text.read(path)
        except OSError as error:
            raise ValueError(f"the file cannot be read: {error.strerror}") from None
        return path

    @model_validator(mode="after")
    def _most_items_are_new(self) -> TaskSettings:
        if self.gold + self.repeats > 0.5:
            raise ValueError("gold and repeats are more than half of all items")
        return self
