"""RLOO on a tiny random policy."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from learner.experience import token_rewards_RL
from learner.reward import train
from learner.reward_model import RewardModel
from learner.rewarder import Rewarder
from learner.rloo import RLOO
from learner.settings import LearnerSettings, PPOSettings, RewardSettings
from policy.model import Model, load
from tests.test_learner_reward import made_rankings
from tests.tiny_models import make_tiny

PROMPTS = [(5, 6, 7), (8, 9), (10, 11, 12, 13), (14,)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("tiny") / "policy", "llama", seed=0)


@pytest.fixture
def policy(folder: Path) -> Model:
    return load(folder)


@pytest.fixture(scope="module")
def reward(folder: Path) -> RewardModel:
    """Trained on a person who likes one token."""
    model = RewardModel.start(folder, seed=1)
    settings = RewardSettings(learning_rate=3e-3, epochs=6)
    train(model, made_rankings(120, seed=1), settings, seed=1, report=lambda *_: None)
    model.normalise_on([r.group for r in made_rankings(20, seed=3)])
    return model


def make_rloo(policy: Model, reward: RewardModel, **changed: object) -> RLOO:
    given = {"steps": 30, "max_tokens": 12, "minibatch": 8, "ptx": 0.0, "learning_rate": 3e-3}
    settings = PPOSettings.model_validate(given | changed)
    return RLOO(policy, copy.deepcopy(policy.net), Rewarder(reward), lambda _: (), settings, seed=3)


@pytest.mark.parametrize("kl_in", ["loss", "reward"])
def test_a_prompts_advantages_add_up_to_nothing(
    policy: Model, reward: RewardModel, kl_in: str
) -> None:
    """And each reply has one, the same at each of its tokens, 0 behind its end."""
    rloo = make_rloo(policy, reward, kl_in=kl_in)
    rloo.step(PROMPTS)
    e = rloo.experience
    found = rloo.advantages_RL(e, token_rewards_RL(e, rloo.settings, 0.2))
    first_R = found[:, 0]
    torch.testing.assert_close(first_R.view(4, 4).sum(1), torch.zeros(4), atol=1e-5, rtol=0)
    assert first_R.abs().max() > 0.1
    assert torch.equal(found, first_R[:, None] * e.mask_RL)


def test_the_first_ratio_is_one(policy: Model, reward: RewardModel) -> None:
    """So that the first minibatch's gradient is plain REINFORCE's."""
    assert make_rloo(policy, reward).step(PROMPTS)["first_ratio_gap"] < 1e-4


def test_reward_rises(policy: Model, reward: RewardModel) -> None:
    """Thirty steps raise the mean score of fresh replies by half a deviation or more; it is all
    that they are paid for."""
    rloo = make_rloo(policy, reward, kl_coef=0.0, missing_stop_penalty=0.0)
    rewards = [rloo.step(PROMPTS * 4)["reward"] for _ in range(30)]
    assert sum(rewards[-3:]) > sum(rewards[:3]) + 1.5


def test_a_step_that_is_not_finite_is_counted_and_poisons_nothing(
    policy: Model, reward: RewardModel
) -> None:
    """A score of NaN: both minibatches are skipped; weights and KL coefficient stay as they were,
    and what is told of the update is finite."""
    broken = copy.deepcopy(reward)
    torch.nn.init.constant_(broken.head.weight, float("nan"))
    rloo = make_rloo(policy, broken)
    before = [p.detach().clone() for p in policy.net.parameters()]
    metrics = rloo.step(PROMPTS)
    assert (metrics["skipped"], metrics["kl_coef"]) == (2.0, 0.2)
    assert "kl" not in metrics
    for parameter, value in zip(policy.net.parameters(), before, strict=True):
        assert torch.equal(parameter, value)


def test_one_reply_to_a_prompt_is_refused() -> None:
    """There is nothing to compare it with, and the settings say so before a round begins."""
    with pytest.raises(ValueError, match="needs replies_per_prompt of 2 or more"):
        LearnerSettings.model_validate({"method": "rloo", "ppo": {"replies_per_prompt": 1}})
