"""Halves of a job at once give what the whole gives alone."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from learner import parallel
from learner.batching import Group
from learner.ppo import PPO
from learner.reward_model import RewardModel
from learner.rewarder import Rewarder
from learner.rollout import Sampling, roll_out
from learner.settings import PPOSettings
from policy.model import Model, load
from tests.tiny_models import make_tiny

PROMPTS = [(5, 6, 7), (8, 9), (10, 11, 12, 13), (14,), (15, 16)]


@pytest.fixture(autouse=True)
def one_thread_after() -> Iterator[None]:
    yield
    parallel.use_threads(1)


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("tiny") / "policy"
    make_tiny(folder, "llama", seed=0)
    return load(folder)


@pytest.fixture(scope="module")
def reward(policy: Model) -> RewardModel:
    return RewardModel.start(policy.folder, seed=1)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("count", range(6))
def test_what_is_halved_can_be_joined(threads: int, count: int) -> None:
    """No part is empty, and the order comes back."""
    parallel.use_threads(threads)
    parts = parallel.halved(list(range(count)))
    assert len(parts) == min(threads, count)
    assert all(parts)
    assert parallel.joined(parts) == list(range(count))


def test_two_parts_run_at_once() -> None:
    """Each waits until the other has begun."""
    parallel.use_threads(2)
    both = threading.Barrier(2, timeout=10)

    def meet(part: int) -> int:
        both.wait()
        return part * 10

    assert parallel.at_once(meet, [1, 2]) == [10, 20]


def test_an_error_in_a_part_is_the_jobs() -> None:
    parallel.use_threads(2)
    with pytest.raises(ZeroDivisionError):
        parallel.at_once(lambda part: 1 // part, [1, 0])


def test_replies_do_not_depend_on_the_halves(policy: Model) -> None:
    """Every request has its own numbers, whoever samples beside it."""
    how = Sampling(1.0, 12, 3, replies=3)
    alone = roll_out(policy, PROMPTS, how)
    parallel.use_threads(2)
    assert [[c.tokens for c in group] for group in roll_out(policy, PROMPTS, how)] == [
        [c.tokens for c in group] for group in alone
    ]


def test_scores_do_not_depend_on_the_halves(policy: Model, reward: RewardModel) -> None:
    groups = [Group(prompt, ((7, 8), (9,))) for prompt in PROMPTS]
    alone = reward.score(groups, size=2)
    parallel.use_threads(2)
    torch.testing.assert_close(torch.tensor(reward.score(groups, size=2)), torch.tensor(alone))


def test_a_ppo_step_does_not_depend_on_the_halves(policy: Model, reward: RewardModel) -> None:
    """The parts' gradients add up to the minibatch's: same loss, same norm, same weights after."""

    def stepped(threads: int) -> tuple[dict[str, float], torch.Tensor]:
        parallel.use_threads(threads)
        mine = replace(policy, net=copy.deepcopy(policy.net))
        given = {"steps": 4, "max_tokens": 12, "minibatch": 8, "ptx": 0.5, "learning_rate": 1e-3}
        settings = PPOSettings.model_validate(given)
        example = Group((5, 6), ((7, 8, 9),))
        ppo = PPO(
            mine, policy.net, Rewarder(reward), lambda count: [example] * count, settings, seed=3
        )
        metrics = ppo.step(PROMPTS)
        return metrics, torch.cat([p.detach().flatten() for p in mine.net.parameters()])

    (metrics_1, weights_1), (metrics_2, weights_2) = stepped(1), stepped(2)
    assert metrics_2["first_ratio_gap"] < 1e-4
    for name in ("gradient_norm", "ptx_loss", "reward"):
        assert metrics_2[name] == pytest.approx(metrics_1[name], rel=1e-3), name
    moved = (weights_1 - torch.cat([p.detach().flatten() for p in policy.net.parameters()])).norm()
    assert (weights_2 - weights_1).norm() < 0.02 * moved
