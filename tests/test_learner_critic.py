"""The critic on a tiny reward model."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from learner.batching import Group
from learner.critic import HeadCritic, critic_from
from learner.experience import on_last_token
from learner.reward_model import RewardModel
from learner.settings import PPOSettings
from tests.test_learner_experience import experience_of
from tests.tiny_models import make_tiny


@pytest.fixture(scope="module")
def reward(tmp_path_factory: pytest.TempPathFactory) -> RewardModel:
    """With a normalisation that is not trivial."""
    folder = make_tiny(tmp_path_factory.mktemp("tiny") / "policy", "llama", seed=0)
    model = RewardModel.start(folder, seed=1)
    model.mean, model.std = 0.5, 2.0
    return model


def test_it_starts_as_the_reward_head(reward: RewardModel) -> None:
    """Its value of any state is the normalised score there."""
    states = torch.randn(5, reward.head.in_features, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(critic_from(reward)(states).squeeze(-1), reward.values(states))


def test_returns_come_from_advantages_before_they_are_whitened(reward: RewardModel) -> None:
    """Values of 1, rewards 3 and 0, gamma and lam 1: every return is the reply's reward, every
    advantage 2 or -1, and whitened (count 4, mean .5, unbiased variance 9 / 3) 1.5 / sqrt(3).
    """
    settings = PPOSettings(gamma=1.0, lam=1.0)
    critic = HeadCritic(reward, settings, updates=1)
    critic.head = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(critic.head.bias, 1.0)  # the features are 0
    e = experience_of([Group((5,), ((7, 8), (7, 8)))], [3.0, 0.0])
    found = critic.estimate(e, on_last_token(e.scores_R, e.mask_RL))
    torch.testing.assert_close(found.returns_RL, torch.tensor([[3.0, 3.0], [0.0, 0.0]]))
    white = 1.5 / 3**0.5
    torch.testing.assert_close(
        found.advantages_RL, torch.tensor([[white, white], [-white, -white]])
    )


def test_warming_fits_the_first_returns(reward: RewardModel) -> None:
    """Thirty passes lessen the squared error of its values."""
    critic = HeadCritic(reward, PPOSettings(), updates=100)
    states = torch.randn(2, 2, reward.head.in_features, generator=torch.Generator().manual_seed(0))
    e = experience_of([Group((5,), ((7, 8), (7, 8)))], [3.0, 0.0])
    e = replace(e, features_RLD=states)
    rewards_RL = on_last_token(e.scores_R, e.mask_RL)
    before = critic.estimate(e, rewards_RL)
    critic.warm(e, before)
    after = critic.estimate(e, rewards_RL)

    def error(values_RL: torch.Tensor) -> float:
        return (values_RL - before.returns_RL).square().mean().item()

    assert error(after.values_RL) < error(before.values_RL)
