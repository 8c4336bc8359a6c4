"""PPO on a tiny random policy: the self-tests that find most bugs."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from learner.batching import Group, collate
from learner.losses import full_kl
from learner.ppo import PPO
from learner.reward import train
from learner.reward_model import RewardModel
from learner.rewarder import Rewarder
from learner.settings import PPOSettings, RewardSettings
from learner.vocabulary import Distributions
from policy.model import Model, load
from tests.test_learner_reward import made_rankings
from tests.tiny_models import make_tiny

PROMPTS = [(5, 6, 7), (8, 9), (10, 11, 12, 13), (14,)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "policy"
    make_tiny(folder, "llama", seed=0)
    return folder


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


def make_ppo(policy: Model, reward: RewardModel, **changed: object) -> PPO:
    given = {"steps": 30, "max_tokens": 12, "minibatch": 8, "ptx": 0.0, "learning_rate": 3e-3}
    settings = PPOSettings.model_validate(given | changed)
    replay = [Group((5, 6), ((7, 8, 9),))]
    net = copy.deepcopy(policy.net)
    return PPO(policy, net, Rewarder(reward), lambda count: replay * count, settings, seed=3)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_the_first_ratio_is_one(policy: Model, reward: RewardModel, temperature: float) -> None:
    """The sampler's log-probabilities are the trainer's, at one temperature: nothing has moved."""
    metrics = make_ppo(policy, reward, temperature=temperature).step(PROMPTS)
    assert metrics["first_ratio_gap"] < 1e-4


@pytest.mark.parametrize("kl_in", ["loss", "reward"])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_at_the_start_the_policy_is_its_reference(
    policy: Model, reward: RewardModel, temperature: float, kl_in: str
) -> None:
    """No KL before the first update, within the arithmetic's noise: both have one temperature."""
    metrics = make_ppo(policy, reward, temperature=temperature, kl_in=kl_in).step(PROMPTS)
    assert abs(metrics["kl"]) < 1e-3


def test_reward_rises(policy: Model, reward: RewardModel) -> None:
    """Thirty steps raise the mean score of fresh replies by half a deviation or more."""
    ppo = make_ppo(policy, reward, kl_coef=0.0)
    rewards = [ppo.step(PROMPTS * 4)["reward"] for _ in range(30)]
    assert sum(rewards[-3:]) > sum(rewards[:3]) + 1.5


def test_a_large_kl_coefficient_holds_the_policy(policy: Model, reward: RewardModel) -> None:
    """Where moving costs more than any reward pays, the policy stays beside its reference."""
    held = make_ppo(policy, reward, kl_coef=100.0, kl_target=1e9, kl_horizon=10**9)
    rewards = [held.step(PROMPTS * 4)["reward"] for _ in range(30)]
    assert sum(rewards[-3:]) < sum(rewards[:3]) + 0.75


@pytest.mark.parametrize(("kl_in", "share"), [("loss", 0.1), ("reward", 0.5)])
def test_a_huge_kl_coefficient_leaves_the_distributions(
    policy: Model, reward: RewardModel, kl_in: str, share: float
) -> None:
    """Where no reward could pay for it, ten small steps move the policy's distributions by less
    than that share of what they move without the KL, in nats over the vocabulary. In the reward it
    holds less: an estimate from one token, whitened.
    """

    def moved(kl_coef: float) -> float:
        mine = replace(policy, net=copy.deepcopy(policy.net))
        changed = {"kl_target": 1e9, "kl_horizon": 10**9, "learning_rate": 3e-4, "kl_in": kl_in}
        ppo = make_ppo(mine, reward, kl_coef=kl_coef, **changed)
        for _ in range(10):
            ppo.step(PROMPTS * 4)
        batch = collate(ppo.experience.groups)
        with torch.no_grad():
            logits, ref_logits = (
                Distributions.of(net, batch).logits_NV() for net in (mine.net, policy.net)
            )
        return full_kl(logits, ref_logits).mean().item()

    assert moved(1e4) < share * moved(0.0)


def test_what_is_wrong_becomes_rarer(policy: Model, reward: RewardModel) -> None:
    """A checker that finds replies wrong by their first token, about half of them, against a reward
    that knows nothing of it and weighs little beside: after thirty steps far fewer are."""
    ppo = make_ppo(policy, reward, kl_coef=0.0, wrong_penalty=20.0)
    ppo.wrong = lambda _prompt, reply: reply[0] % 2 == 0
    shares = [ppo.step(PROMPTS * 4)["wrong"] for _ in range(30)]
    assert sum(shares[-5:]) < 0.6 * sum(shares[:5])


def test_supervised_examples_become_likelier_beside_ppo(policy: Model, reward: RewardModel) -> None:
    """With PTX on, the replayed reply's loss falls."""
    ppo = make_ppo(policy, reward, ptx=1.0)
    losses = [ppo.step(PROMPTS)["ptx_loss"] for _ in range(10)]
    assert losses[-1] < losses[0] - 0.5
