"""PPO under guard: steps are taken while the regression set holds; the last that held is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from learner.material import Material
from learner.ppo import PPO
from learner.progress import Progress
from learner.regression import Regression

Weights = dict[str, Tensor]

STRIKES = 2
"""Falls below the floor that end a round's PPO; after each one before, it goes on more gently."""


@dataclass(frozen=True)
class Improvement:
    """How far PPO came: the step whose weights were kept (0 is none), and the regression scores."""

    kept_step: int
    steps: int
    scores: tuple[float, ...]

    @property
    def text(self) -> str:
        scores = ", ".join(f"{score:.3f}" for score in self.scores)
        return f"Step {self.kept_step} of {self.steps} kept; the regression set went {scores}."


def improve(
    ppo: PPO, material: Material, regression: Regression, floor: float, progress: Progress
) -> Improvement:
    """Take the round's steps; leaves in `ppo.policy` the last weights that scored `floor`.

    Where the score falls below, the last good weights come back under twice the KL coefficient.
    """
    s = ppo.settings
    progress.stage("ppo", s.steps)
    report: Callable[[int, int, dict[str, float]], None] = progress.reporter()
    kept, kept_step = _copy(ppo), 0
    scores: list[float] = []
    for step in range(1, s.steps + 1):
        metrics = ppo.step(material.draw(s.prompts_per_step))
        if step % s.check_every == 0 or step == s.steps:
            score = metrics["regression"] = regression.score(ppo.policy)
            scores.append(score)
            if score >= floor:
                kept, kept_step = _copy(ppo), step
            else:
                ppo.policy.net.load_state_dict(kept)
                ppo.control.coef *= 2
        report(step, s.steps, metrics)
        if sum(score < floor for score in scores) == STRIKES:
            break
    ppo.policy.net.load_state_dict(kept)
    return Improvement(kept_step, s.steps, tuple(scores))


def _copy(ppo: PPO) -> Weights:
    return {name: value.detach().clone() for name, value in ppo.policy.net.state_dict().items()}
