"""PPO under guard: which weights are kept, and what a fall costs."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch

from learner import guards
from learner.batching import Group
from learner.improve import improve
from learner.ppo import PPO
from learner.progress import Progress
from learner.reward_model import RewardModel
from learner.rewarder import Rewarder
from learner.rollout import Prompt
from learner.saved import Saved
from learner.saves import Saves
from learner.settings import PPOSettings
from policy.model import Model, load
from tests.tiny_models import make_tiny

FLOOR = 0.8


class Unwritten(Progress):
    """Progress that nobody reads."""

    def __init__(self) -> None:
        self.metrics_seen: list[Mapping[str, float]] = []

    def stage(self, name: str, steps: int = 1, done: int = 0) -> None:
        """Nothing is written."""

    def step(self, step: int, steps: int) -> None:
        """Nothing is written."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        self.metrics_seen.append(values)


class Prompts:
    """Material of a few prompts."""

    samples = (Group((5, 6), ((7, 8),)),)
    rng = random.Random(0)
    said: Mapping[Prompt, str] = {}

    def draw(self, count: int) -> list[Prompt]:
        return random.Random(0).choices([(5, 6, 7), (8, 9), (10, 11)], k=count)

    def held_out(self, count: int) -> list[Prompt]:
        return self.draw(count)

    def replay(self, count: int) -> Sequence[Group]:
        return [*self.samples] * count

    def wrong(self, prompt: Prompt, reply: Sequence[int]) -> bool:
        return False


class Scripted:
    """A regression set whose scores are given, and the weights that it was asked about."""

    what = "given scores"

    def __init__(self, *scores: float) -> None:
        self.scores = list(scores)
        self.asked: list[torch.Tensor] = []

    def score(self, model: Model) -> float:
        self.asked.append(flat(model))
        return self.scores[len(self.asked) - 1]


def flat(model: Model) -> torch.Tensor:
    return torch.cat([p.detach().flatten().clone() for p in model.net.parameters()])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("tiny") / "policy", "llama", seed=0)


@pytest.fixture
def ppo(folder: Path) -> PPO:
    return made(folder)


def made(folder: Path) -> PPO:
    """Four steps, looked at after the second and the fourth."""
    policy = load(folder)
    given = {"steps": 4, "check_every": 2, "max_tokens": 8, "prompts_per_step": 4, "ptx": 0.0}
    settings = PPOSettings.model_validate(given)
    reward = RewardModel.start(folder, seed=1)
    return PPO(policy, copy.deepcopy(policy.net), Rewarder(reward), lambda _: (), settings, seed=3)


def test_the_last_step_that_holds_is_kept(ppo: PPO) -> None:
    looks = Scripted(0.9, 0.85)
    improvement = improve(ppo, Prompts(), looks, FLOOR, Unwritten())
    assert (improvement.kept_step, improvement.scores) == (4, (0.9, 0.85))
    assert torch.equal(flat(ppo.policy), looks.asked[1])


def test_a_fall_goes_half_the_way_back_under_twice_the_kl(ppo: PPO) -> None:
    """After the last step the half is looked at itself: the mean of step 2's weights and 4's."""
    looks, seen = Scripted(0.9, 0.7, 0.85), Unwritten()
    improvement = improve(ppo, Prompts(), looks, FLOOR, seen)
    assert (improvement.kept_step, improvement.scores) == (4, (0.9, 0.7, 0.85))
    torch.testing.assert_close(looks.asked[2], (looks.asked[0] + looks.asked[1]) / 2)
    assert torch.equal(flat(ppo.policy), looks.asked[2])
    assert ppo.control.coef == pytest.approx(2 * seen.metrics_seen[-1]["kl_coef"])
    assert seen.metrics_seen[-1]["regression"] == 0.7


def test_what_never_holds_leaves_the_policy_as_it_was(ppo: PPO) -> None:
    before = flat(ppo.policy)
    improvement = improve(ppo, Prompts(), Scripted(0.1, 0.2, 0.3), FLOOR, Unwritten())
    assert improvement.kept_step == 0
    assert torch.equal(flat(ppo.policy), before)


def test_a_guard_ends_the_steps_and_keeps_what_held(
    ppo: PPO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the third step no ratio is small enough: step 2's weights stay, and the reason is told."""
    looks, step = Scripted(0.9), ppo.step

    def stepped(prompts: Sequence[Prompt]) -> dict[str, float]:
        if len(looks.asked) == 1:
            monkeypatch.setattr(guards, "RATIO_LIMIT", 0.5)
        return step(prompts)

    monkeypatch.setattr(ppo, "step", stepped)
    improvement = improve(ppo, Prompts(), looks, FLOOR, Unwritten())
    assert improvement.kept_step == 2
    assert improvement.stopped is not None
    assert (improvement.stopped.check, improvement.stopped.limit) == ("ratio", 0.5)
    assert torch.equal(flat(ppo.policy), looks.asked[0])


def test_updates_that_are_not_finite_end_the_steps(ppo: PPO) -> None:
    """A reward model that scores NaN: the third update that cannot be made is the last."""
    before = flat(ppo.policy)
    torch.nn.init.constant_(ppo.reward.own.head.weight, float("nan"))
    improvement = improve(ppo, Prompts(), Scripted(), FLOOR, Unwritten())
    assert improvement.kept_step == 0
    assert improvement.stopped is not None
    assert improvement.stopped.check == "finite_updates"
    assert "not finite (loss nan, gradient nan)" in improvement.stopped.text
    assert torch.equal(flat(ppo.policy), before)


def test_the_second_reward_model_is_heard_at_the_first_step_and_at_each_look(ppo: PPO) -> None:
    """Of four steps with looks after two: at 1, 2 and 4, and its mean score stands beside."""
    seen = Unwritten()
    judge = RewardModel.start(ppo.policy.folder, seed=2)
    improve(ppo, Prompts(), Scripted(0.9, 0.9), FLOOR, seen, judge)
    heard = [step for step, m in enumerate(seen.metrics_seen, 1) if "second_opinion" in m]
    assert heard == [1, 2, 4]


def test_between_looks_a_fall_is_not_looked_at_again(ppo: PPO) -> None:
    """It goes on from half the way; what the next look finds is kept."""
    looks = Scripted(0.7, 0.9)
    assert improve(ppo, Prompts(), looks, FLOOR, Unwritten()).kept_step == 4
    assert torch.equal(flat(ppo.policy), looks.asked[1])


class Dying(Unwritten):
    """Dies when this step's figures are written."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.last = step

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        super().metrics(step, values)
        if step == self.last:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("death", "left"), [(1, 3), (2, 3), (3, 2), (4, 2)])
def test_what_was_kept_and_how_far_it_fell_is_gone_on_with(
    folder: Path, ppo: PPO, tmp_path: Path, death: int, left: int
) -> None:
    """Saved after each second step: a death in step 1 or 2 comes before that, and all three looks
    are taken again; one in step 3 or 4 repeats both, and looks at the fall and at the half.
    """
    scores = (0.9, 0.7, 0.85)
    undisturbed = improve(ppo, Prompts(), Scripted(*scores), FLOOR, Unwritten())
    died, resumed = made(folder), made(folder)
    looks, again = Scripted(*scores), Scripted(*scores[-left:])
    saves = Saves(Saved(tmp_path / "7", {}), 2)
    with pytest.raises(KeyboardInterrupt):
        improve(died, Prompts(), looks, FLOOR, Dying(death), saves=saves)
    saves = Saves(Saved(tmp_path / "7", {}), 2)
    improvement = improve(resumed, Prompts(), again, FLOOR, Unwritten(), saves=saves)
    assert improvement == undisturbed
    assert torch.equal(flat(resumed.policy), flat(ppo.policy))
    assert resumed.control.coef == ppo.control.coef
    assert len(again.asked) == left
