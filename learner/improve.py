"""PPO under guard: steps are taken while the regression set holds; the last that held is kept.

Where it does not hold, half of the way since then is taken back. Between two fine-tunings of one
model the weights may be mixed, and the mean keeps most of what either does (Wortsman et al. 2022,
2109.01903): so a fall costs half of a round's gain, not all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from learner.material import Material
from learner.ppo import PPO
from learner.progress import Progress
from learner.regression import Regression

Weights = dict[str, Tensor]


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

    Where the score falls below, PPO goes on from half the way, under twice the KL coefficient;
    after the last step half the way is looked at once more.
    """
    s = ppo.settings
    progress.stage("ppo", s.steps)
    report: Callable[[int, int, dict[str, float]], None] = progress.reporter()
    kept, kept_step, scores = _copy(ppo), 0, []

    def holds() -> bool:
        scores.append(regression.score(ppo.policy))
        return scores[-1] >= floor

    for step in range(1, s.steps + 1):
        metrics = ppo.step(material.draw(s.prompts_per_step))
        if step % s.check_every == 0 or step == s.steps:
            good = holds()
            metrics["regression"] = scores[-1]
            if not good:
                _half_way_back(ppo, kept)
                ppo.control.coef *= 2
            if good or (step == s.steps and holds()):
                kept, kept_step = _copy(ppo), step
        report(step, s.steps, metrics)
    ppo.policy.net.load_state_dict(kept)
    return Improvement(kept_step, s.steps, tuple(scores))


def _half_way_back(ppo: PPO, kept: Weights) -> None:
    """The mean of the weights and of those that were kept last."""
    now = ppo.policy.net.state_dict()
    ppo.policy.net.load_state_dict({name: (now[name] + kept[name]) / 2 for name in kept})


def _copy(ppo: PPO) -> Weights:
    return {name: value.detach().clone() for name, value in ppo.policy.net.state_dict().items()}
