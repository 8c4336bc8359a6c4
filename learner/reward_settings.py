"""The settings of the reward model, and of what is weighed beside it. Light: read before torch is
imported.
"""

from __future__ import annotations

import json
import math
import re
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

_FROZEN = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

PART = r"[a-z][a-z0-9_-]{0,31}"
"""The name of a part of the reward."""

NOT_A_PART = ("total", "ranking", "thumb")
"""Names that say something else already."""


def read_json(value: object) -> object:
    """A text is JSON: the environment and flags have no other way to write a list."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None


class ScorerSettings(BaseModel):
    """A text classifier whose opinion of a reply is part of its reward."""

    model_config = _FROZEN

    name: str = Field(pattern=f"^{PART}$")
    """What it is called in metrics and records."""
    model: str = Field(min_length=1)
    """A folder or a Hugging Face hub id of a sequence classifier."""
    label: str | int
    """The label that is good to have, by name or by number."""
    weight: float = Field(default=1.0, allow_inf_nan=False)
    """What a deviation of its score counts, beside one of the ranking's; below 0 it costs."""
    sees: Literal["reply", "pair"] = "reply"
    """What it reads: the reply alone, or the user's last message and the reply."""

    @property
    def setting(self) -> str:
        """What errors call it."""
        return f"learner.reward.scorers: {self.name!r}"


class UnusableScorer(ValueError):
    """A classifier that is set and cannot be had; the text names the setting and what to do."""

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(f"{setting}: {reason}")


class RewardSettings(BaseModel):
    """How the reward model is trained on rankings."""

    model_config = _FROZEN

    learning_rate: float | None = Field(default=None, gt=0)
    """Peak AdamW rate; unset, it follows the model's size (see `learning_rate_for`)."""
    epochs: int = Field(default=2, ge=1)
    """Passes over the rankings; a hundred or less are seen more often, to see 160 in all."""
    rankings_per_step: int = Field(default=4, ge=1)
    """Rankings in one optimiser step, each with all of its pairs; fewer where there are few."""
    kind: Literal["ranking", "listwise", "binary"] = "ranking"
    """What a ranking teaches: the order of each pair, the whole order at once, or good and bad."""
    trunk: str | None = None
    """Of kind `binary`: a text classifier, folder or hub id, that is taught to reward PPO."""
    margin: float = Field(default=0.0, ge=0)
    """Of kind `ranking`: by how much scores should differ for each rank between two answers."""
    rating_margin: float = Field(default=0.0, ge=0)
    """Of kind `ranking`: the same for each point between the person's two ratings of `overall`."""
    center: float = Field(default=0.0, ge=0)
    """Weight of a pair's squared sum of scores, which comparing leaves free; 0.01 holds it at 0."""
    heads: int = Field(default=1, ge=1, le=64)
    """Heads on one trunk, which differ where the rankings say little; the score is their mean."""
    anchor: float = Field(default=0.1, ge=0)
    """Of several heads: weight of each one's squared distance from its random start."""
    pessimism: float = Field(default=0.0, ge=0)
    """Of several heads: deviations between them that PPO's reward lies below their mean."""
    criteria: Annotated[dict[str, float], BeforeValidator(read_json)] = Field(
        default={"helpful": 0.0, "honest": 0.0, "harmless": 0.0}
    )
    """What answers are rated by, 1 to 7, and what a deviation of each counts in PPO's reward."""
    scorers: Annotated[tuple[ScorerSettings, ...], BeforeValidator(read_json)] = ()
    """Text classifiers weighed into PPO's reward: name, model, label, weight and sees of each."""

    @property
    def weighed_criteria(self) -> tuple[str, ...]:
        """Those that count in the reward, and so have a head."""
        return tuple(name for name, weight in self.criteria.items() if weight)

    @field_validator("trunk")
    @classmethod
    def _is_taught_good_and_bad(cls, trunk: str | None, info: ValidationInfo) -> str | None:
        if trunk is not None and info.data.get("kind") != "binary":
            raise ValueError("a classifier learns good and bad: set `kind` to binary")
        return trunk

    @field_validator("margin", "rating_margin", "center")
    @classmethod
    def _is_of_this_kind(cls, value: float, info: ValidationInfo) -> float:
        """What a kind does not read is refused, not passed over."""
        kind = info.data.get("kind", "ranking")
        if value and (kind == "binary" or (kind == "listwise" and info.field_name != "center")):
            raise ValueError(f"kind {kind!r} has no {info.field_name}")
        return value

    @field_validator("pessimism")
    @classmethod
    def _is_of_several_heads(cls, value: float, info: ValidationInfo) -> float:
        if value and info.data.get("heads") == 1:
            raise ValueError("one head has no deviation: set `heads` to 2 or more")
        return value

    @field_validator("criteria")
    @classmethod
    def _can_be_criteria(cls, criteria: dict[str, float]) -> dict[str, float]:
        for name, weight in criteria.items():
            if not re.fullmatch(PART, name) or name in NOT_A_PART:
                raise ValueError(f"{name!r} cannot be a criterion: {PART}, and no figure's name")
            if not math.isfinite(weight):
                raise ValueError(f"{name!r} needs a finite weight")
        return criteria

    @field_validator("scorers")
    @classmethod
    def _have_names_of_their_own(
        cls, scorers: tuple[ScorerSettings, ...], info: ValidationInfo
    ) -> tuple[ScorerSettings, ...]:
        taken = [*NOT_A_PART, *info.data.get("criteria", ())]
        for scorer in scorers:
            if scorer.name in taken:
                raise ValueError(f"the name {scorer.name!r} is taken: call the scorer otherwise")
            taken.append(scorer.name)
        return scorers
