"""The settings `learner.trust`. Light: read before anything else is imported."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _read_json(value: object) -> object:
    """A text is JSON: the environment and flags have no other way to write a list."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None


class TrustSettings(BaseModel):
    """How much one person can teach."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    people: int = Field(default=3, ge=3)
    """People from whom on caps and trust act: of two that differ nobody can say who is right."""
    cap: int = Field(default=10, ge=1)
    """Rankings of one person that always count in a round, be the others' ever so few."""
    medians: float = Field(default=1.5, ge=1)
    """Past `cap`, how many times the median person's rankings one person's may be."""
    proven: int = Field(default=8, ge=1)
    """Rankings that gold or others can be held against, after which a person is no newcomer."""
    newcomer: float = Field(default=0.5, ge=0.1, le=1)
    """Weight of a newcomer's rankings, and share of `cap`, once `people` others are proven."""
    alarm: float = Field(default=0.1, gt=0, le=1)
    """By how much the share left out may exceed the last rounds' before an alarm is raised."""
    exempt: Annotated[tuple[str, ...], BeforeValidator(_read_json)] = ()
    """People who count in full whatever they say, such as the owner of a small server."""
