"""PPO under guard: steps are taken while the regression set holds; the last that held is kept.

Where it does not hold, half of the way since then is taken back. Between two fine-tunings of one
model the weights may be mixed, and the mean keeps most of what either does (Wortsman et al. 2022,
2109.01903): so a fall costs half of a round's gain, not all of it.

Where a step is broken (learner/guards.py) the steps end, and what was kept before stays. Where the
learner dies between two steps, the next one goes on from what was saved (learner/saves.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from feedback.records import Reason
from learner.experience import Experience
from learner.guards import Tripped, Watch, reason_of
from learner.losses import AdaptiveKL
from learner.material import Material
from learner.optimise import NotFinite
from learner.progress import Progress
from learner.ranks import sharding
from learner.regression import Regression
from learner.reward_model import RewardModel
from learner.rollout import Prompt
from learner.saves import Saves
from learner.settings import PPOSettings
from learner.state import State, draws_of, put_draws
from learner.weights import copied, half_way_back, put_back, trained
from policy.model import Model

UNSAVED = Saves()
"""Nothing is kept of the steps but their result."""


class Method(Protocol):
    """PPO or RLOO: what takes steps, and what its last step learned from."""

    settings: PPOSettings
    experience: Experience

    @property
    def policy(self) -> Model:
        """What is improved, in place."""

    @property
    def control(self) -> AdaptiveKL:
        """What steers the KL to the reference."""

    def step(self, prompts: Sequence[Prompt]) -> dict[str, float]:
        """Improve the policy; the step's metrics. Raises Tripped, NotFinite."""

    def state(self) -> State:
        """All that the next step depends on."""

    def restore(self, state: State) -> None:
        """Go on from a state of the same round."""


@dataclass(frozen=True)
class Improvement:
    """How far PPO came: the step whose weights were kept (0 is none), the regression scores, and
    what ended the steps early, if anything did.
    """

    kept_step: int
    steps: int
    scores: tuple[float, ...]
    stopped: Reason | None = None

    @property
    def text(self) -> str:
        scores = ", ".join(f"{score:.3f}" for score in self.scores) or "unasked"
        return f"Step {self.kept_step} of {self.steps} kept; the regression set went {scores}."


class Kept:
    """The last weights that scored `floor`, at first those that the round began with."""

    def __init__(self, ppo: Method, regression: Regression, floor: float) -> None:
        self.ppo = ppo
        self.regression = regression
        self.floor = floor
        self.weights = copied(ppo.policy.net)
        self.step = 0
        self.scores: list[float] = []

    def look(self, step: int, last: bool) -> float:
        """Keep the weights as they are if they hold, and else go half the way back under twice the
        KL coefficient; after the last step the half is looked at itself. The score found first.
        """
        good = self._holds()
        score = self.scores[-1]
        if not good:
            half_way_back(self.ppo.policy.net, self.weights)
            self.ppo.control.coef *= 2
        if good or (last and self._holds()):
            self.weights, self.step = copied(self.ppo.policy.net), step
        return score

    def _holds(self) -> bool:
        self.scores.append(self.regression.score(self.ppo.policy))
        return self.scores[-1] >= self.floor

    def state(self) -> State:
        """What is kept, and what was found."""
        return State(self.weights, {"step": self.step, "scores": self.scores})

    def restore(self, state: State) -> None:
        """Go on from a state of the same round."""
        self.weights = {
            name: sharding.placed(state.tensors[name].to(weight.device, copy=True), weight)
            for name, weight in trained(self.ppo.policy.net).items()
        }
        self.step, self.scores = state.values["step"], state.values["scores"]


@dataclass(frozen=True)
class Run:
    """All that moves from one step to the next."""

    ppo: Method
    material: Material
    kept: Kept
    watch: Watch

    def state(self) -> State:
        """Everything's."""
        return State.of(
            ppo=self.ppo.state(),
            material=State(values={"rng": draws_of(self.material.rng)}),
            kept=self.kept.state(),
            watch=self.watch.state(),
        )

    def restore(self, state: State) -> None:
        """Go on from a state of the same round."""
        self.ppo.restore(state.part("ppo"))
        put_draws(self.material.rng, state.part("material").values["rng"])
        self.kept.restore(state.part("kept"))
        self.watch.restore(state.part("watch"))


def improve(
    ppo: Method,
    material: Material,
    regression: Regression,
    floor: float,
    progress: Progress,
    judge: RewardModel | None = None,
    saves: Saves = UNSAVED,
) -> Improvement:
    """Take the round's steps; leaves in `ppo.policy` the last weights that scored `floor`.

    `judge` is the second reward model, heard at the first step and at each look. A guard ends the
    steps before the weights of its own step are looked at.
    """
    s = ppo.settings
    kept, watch, stopped = Kept(ppo, regression, floor), Watch(judge), None
    run = Run(ppo, material, kept, watch)
    taken = saves.resume(run)
    progress.stage("ppo", s.steps, taken)
    report: Callable[[int, int, dict[str, float]], None] = progress.reporter()
    for step in range(taken + 1, s.steps + 1):
        try:
            metrics = ppo.step(material.draw(s.prompts_per_step))
        except (Tripped, NotFinite) as error:
            stopped = reason_of(error)
            break
        due = step % s.check_every == 0 or step == s.steps
        stopped = watch.look(metrics, ppo.experience, ask=due or step == 1)
        metrics |= watch.heard()
        if due and not stopped:
            metrics["regression"] = kept.look(step, last=step == s.steps)
        report(step, s.steps, metrics)
        if stopped:
            break
        saves.after(step, s.steps, run)
    put_back(ppo.policy.net, kept.weights)
    return Improvement(kept.step, s.steps, tuple(kept.scores), stopped)
