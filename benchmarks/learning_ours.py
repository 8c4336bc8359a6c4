"""Rankloop's PPO as a side of the comparison: a step as a round takes it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from benchmarks.learning_side import Work, serve
from learner.parallel import use_threads
from learner.ppo import PPO
from learner.reward_model import RewardModel
from learner.rewarder import Rewarder
from learner.rollout import Prompt, Sampling, roll_out
from learner.settings import PPOSettings
from policy.model import Model, load


def settings_of(work: Work) -> PPOSettings:
    """The same work as the others: one reply to a prompt, no supervised loss beside, the KL on the
    drawn tokens, and no epoch ends early.
    """
    return PPOSettings(
        steps=work.steps,
        prompts_per_step=work.prompts,
        replies_per_prompt=1,
        epochs=work.epochs,
        minibatch=work.minibatch,
        max_tokens=work.reply,
        kl_in="reward",
        critic="own" if work.critic == "own" else "reward",
        ptx=0.0,
        update_kl=1e9,
        learning_rate=1e-6,
    )


def prepare(work: Work) -> Callable[[], Mapping[str, float]]:
    use_threads(work.threads)
    folder = Path(work.model)
    policy, reference = (load(folder, device=work.device) for _ in range(2))
    reward = RewardModel.start(folder, 0).to(policy.net.device)
    ppo = PPO(policy, reference.net, Rewarder(reward), lambda count: (), settings_of(work), 0)
    rng = random.Random(0)
    vocabulary = policy.net.config.vocab_size

    def step() -> Mapping[str, float]:
        prompts = [
            tuple(rng.choices(range(8, vocabulary), k=work.prompt)) for _ in range(work.prompts)
        ]
        began = time.perf_counter()
        metrics = ppo.step(prompts)
        return {
            "seconds": time.perf_counter() - began,
            "reply_tokens": metrics["reply_tokens"],
            "generation": _generation(policy, prompts, work),
        }

    return step


def _generation(policy: Model, prompts: list[Prompt], work: Work) -> float:
    """Seconds that it takes to draw a step's replies, once more and beside the step."""
    began = time.perf_counter()
    roll_out(policy, prompts, Sampling(1.0, work.reply, 0))
    return time.perf_counter() - began


if __name__ == "__main__":
    torch.manual_seed(0)
    serve(prepare)
