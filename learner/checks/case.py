"""A version before the gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from learner.accuracy import Accuracy
from learner.checks.lists import Lists
from learner.regression import Regression
from learner.reward_model import RewardModel
from learner.rollout import Prompt
from policy.model import Model
from policy.versions import Versions


@dataclass(frozen=True)
class Case:
    """Where it lies, and who it is compared with and judged by. Without a judge it was fine-tuned,
    and moves on purpose. `base` is what drift is measured from, `suspects` are words that the
    newest feedback has far oftener than what was said before.
    """

    versions: Versions
    version: str
    live: Model
    live_id: str
    base: Model
    base_id: str
    judge: RewardModel | None
    judge_scale: float
    judge_accuracy: Accuracy | None
    regression: Regression
    base_regression: float
    held_out: Sequence[Prompt]
    lists: Lists
    suspects: Sequence[str]
    max_tokens: int
    seed: int
