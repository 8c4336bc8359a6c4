"""A critic of its own, on a tiny reward model."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from learner.critic import HeadCritic
from learner.experience import Experience, judged, on_last_token, unchecked
from learner.own_critic import OwnCritic
from learner.reward_model import RewardModel
from learner.rewarder import Rewarder
from learner.settings import PPOSettings
from policy.engine import Completion
from tests.tiny_models import make_tiny


@pytest.fixture
def reward(tmp_path: Path) -> RewardModel:
    """With a normalisation that is not trivial."""
    model = RewardModel.start(make_tiny(tmp_path / "policy", "llama", seed=0), seed=1)
    model.mean, model.std = 0.5, 2.0
    return model


def made_experience(reward: RewardModel) -> Experience:
    """Two replies to each of three prompts, of 1 to 9 tokens."""
    rng = random.Random(0)

    def ids(length: int) -> tuple[int, ...]:
        return tuple(rng.randrange(10, 60) for _ in range(length))

    prompts = [ids(3), ids(5), ids(4)]
    replies = [
        [
            Completion(prompt, tokens, (-1.0,) * len(tokens), (-1.0,) * len(tokens), "stop")
            for tokens in (ids(one), ids(other))
        ]
        for prompt, (one, other) in zip(prompts, ((1, 9), (4, 2), (7, 3)), strict=True)
    ]
    return judged(prompts, replies, Rewarder(reward), unchecked, None)


def rewards_of(experience: Experience) -> torch.Tensor:
    scores_R = torch.tensor([1.0, -1.0, 0.5, 2.0, -2.0, 0.0])
    return on_last_token(scores_R, experience.mask_RL)


def test_it_starts_with_the_values_of_the_reward_head(reward: RewardModel) -> None:
    """As the critic on the frozen trunk does, before either has learned."""
    e = made_experience(reward)
    own = OwnCritic(reward, PPOSettings(), 10).estimate(e, rewards_of(e))
    head = HeadCritic(reward, PPOSettings(), 10).estimate(e, rewards_of(e))
    torch.testing.assert_close(own.values_RL, head.values_RL, atol=1e-5, rtol=0)


def test_it_learns_the_returns_and_leaves_the_reward_model(reward: RewardModel) -> None:
    """Ten updates lessen its squared error; the reward model's weights are as they were."""
    e, settings = made_experience(reward), PPOSettings(value_clip=10.0)
    before = {name: w.clone() for name, w in reward.state_dict().items()}
    critic = OwnCritic(reward, settings, 20)
    first = critic.estimate(e, rewards_of(e))
    for _ in range(10):
        critic.update(e, first, range(3))
    now = critic.estimate(e, rewards_of(e))

    def error(values_RL: torch.Tensor) -> float:
        return (values_RL - first.returns_RL)[e.mask_RL].square().mean().item()

    assert error(now.values_RL) < error(first.values_RL)
    for name, weight in reward.state_dict().items():
        torch.testing.assert_close(weight, before[name], atol=0, rtol=0)


def test_its_loss_is_a_mean_over_tokens(reward: RewardModel) -> None:
    """Of 26 tokens of three prompts, whatever passes they go through: 1/2 of the mean square of
    value less return, as nothing has moved that could be clipped.
    """
    e = made_experience(reward)
    critic = OwnCritic(reward, PPOSettings(), 10)
    found = critic.estimate(e, rewards_of(e))
    gaps = (found.values_RL - found.returns_RL)[e.mask_RL]
    assert len(gaps) == 26
    expected = 0.5 * gaps.square().mean().item()
    assert critic.update(e, found, range(3)) == pytest.approx(expected, rel=1e-5)


def test_it_goes_on_from_its_state(reward: RewardModel) -> None:
    """Two updates straight, and one, a new critic with its state, and another: the same values."""
    e = made_experience(reward)
    straight, first, second = (OwnCritic(reward, PPOSettings(), 10) for _ in range(3))
    found = straight.estimate(e, rewards_of(e))
    for _ in range(2):
        straight.update(e, found, range(3))
    first.update(e, found, range(3))
    second.restore(first.state())
    second.update(e, found, range(3))
    ours, theirs = (c.estimate(e, rewards_of(e)).values_RL for c in (straight, second))
    torch.testing.assert_close(ours, theirs, atol=0, rtol=0)
