"""Proximal policy optimisation of a chat policy against a reward model.

What of the textbook is kept: fresh rollouts at temperature T with nothing cut from the
distribution, the reward on the last token, GAE, whitened advantages, the clipped ratio, the clipped
value, several epochs of minibatches, an adaptive KL coefficient.

What is left, and why:
1. The KL to the reference stands in the loss, over the full vocabulary, not in the reward: the same
   pull at a fraction of the variance.
2. The critic is one linear head on the reward model's frozen trunk, and starts as the reward head:
   the pass that scores a reply also yields the features, so it costs nothing and cannot pull at
   the policy.
3. The supervised loss stands beside (PTX, InstructGPT), because what nobody ranks is lost first: on
   the reference's own replies, which hold the policy where it was without pulling it elsewhere.
4. A reply that can be checked and is wrong loses reward: people who rank manners say nothing of
   what is true, and a policy that changes its manners forgets some of it.

Axes: R replies, L tokens of a reply, D hidden, V vocabulary, N reply tokens in order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from learner.batching import Batch, Group, by_length, collate
from learner.forward import hidden_MD, reply_logits_NV
from learner.losses import (
    AdaptiveKL,
    entropy,
    full_kl,
    gae,
    masked_mean,
    policy_loss,
    token_logps,
    value_loss,
    whiten,
)
from learner.optimise import Gradients, Optimiser
from learner.parallel import at_once, halved
from learner.reward import RewardModel
from learner.rollout import Prompt, Sampling, roll_out
from learner.settings import PPOSettings, learning_rate_for
from learner.sft import supervised_loss
from policy.engine import Completion
from policy.model import Model

Replay = Callable[[int], Sequence[Group]]
"""So many supervised examples, other ones each time."""

Wrong = Callable[[Prompt, Sequence[int]], bool]
"""Whether a reply to a prompt is known to be wrong."""


def unchecked(_prompt: Prompt, _reply: Sequence[int]) -> bool:
    """Nothing is known."""
    return False


@dataclass(frozen=True)
class Experience:
    """One step's replies and all that was known of them when they were sampled."""

    groups: Sequence[Group]
    mask_RL: Tensor
    old_logps_RL: Tensor
    features_RLD: Tensor
    old_values_RL: Tensor
    advantages_RL: Tensor
    returns_RL: Tensor
    scores_R: Tensor
    stopped_R: Tensor
    wrong_R: Tensor

    def replies_of(self, indices: Sequence[int]) -> list[int]:
        """The replies of these groups."""
        starts = list(accumulate((len(g.replies) for g in self.groups), initial=0))
        return [r for i in indices for r in range(starts[i], starts[i + 1])]


class PPO:
    """Policy, reference, critic and optimisers of a round; `step(prompts)` improves the policy."""

    def __init__(
        self,
        policy: Model,
        reference: PreTrainedModel,
        reward: RewardModel,
        replay: Replay,
        settings: PPOSettings,
        seed: int,
        wrong: Wrong = unchecked,
    ) -> None:
        self.wrong = wrong
        self.policy = policy
        self.reference = reference
        self.reward = reward
        self.replay = replay
        self.settings = settings
        self.seed = seed
        self.taken = 0
        self.rng = random.Random(seed)
        self.control = AdaptiveKL(settings.kl_coef, settings.kl_target, settings.kl_horizon)
        rate = settings.learning_rate or learning_rate_for(policy.net.num_parameters(), small=3e-4)
        replies = settings.prompts_per_step * settings.replies_per_prompt
        updates = settings.steps * settings.epochs * -(-replies // settings.minibatch)
        clip = settings.gradient_clip
        self.optimiser = Optimiser(policy.net, rate, steps=updates, gradient_clip=clip)
        self.critic = critic_from(reward)
        self.critic_optimiser = Optimiser(self.critic, 1e-2, steps=updates, gradient_clip=clip)

    def step(self, prompts: Sequence[Prompt]) -> dict[str, float]:
        """Sample, judge, learn, adapt. Returns the step's metrics, all masked means."""
        experience = self.judge(prompts, self.sample(prompts))
        if self.taken == 0:
            self.warm_critic(experience)
        metrics = self.learn(experience)
        self.control.update(metrics["kl"], len(experience.scores_R))
        self.taken += 1
        return metrics | _about(experience) | {"kl_coef": self.control.coef}

    def sample(self, prompts: Sequence[Prompt]) -> list[list[Completion]]:
        """Fresh replies of the policy as it is now."""
        s = self.settings
        seed = self.seed + self.taken
        return roll_out(
            self.policy, prompts, Sampling(s.temperature, s.max_tokens, seed, s.replies_per_prompt)
        )

    @torch.no_grad()
    def judge(self, prompts: Sequence[Prompt], replies: list[list[Completion]]) -> Experience:
        """Scores, values and advantages of the replies."""
        device = self.policy.net.device
        pairs = zip(prompts, replies, strict=True)
        groups = [Group(p, tuple(c.tokens for c in answers)) for p, answers in pairs]
        flat = [c for answers in replies for c in answers]
        old_logps_N = torch.tensor([x for c in flat for x in c.logps], device=device)
        stopped_R = torch.tensor([c.finish == "stop" for c in flat], device=device)
        wrong_R = torch.tensor([self.wrong(c.prompt, c.tokens) for c in flat], device=device)
        batch = collate(groups, device)
        hidden = hidden_MD(self.reward.net, batch)
        scores_R = self.reward.scores(hidden, batch)
        features_RLD = batch.placed(hidden[batch.predicts_N])
        values_RL = self._values(features_RLD, batch.mask_RL)
        rewards_RL = self._rewards_RL(batch, scores_R, stopped_R, wrong_R)
        s = self.settings
        advantages_RL, returns_RL = gae(rewards_RL, values_RL, batch.mask_RL, s.gamma, s.lam)
        return Experience(
            groups,
            batch.mask_RL,
            batch.placed(old_logps_N),
            features_RLD,
            values_RL,
            whiten(advantages_RL, batch.mask_RL),
            returns_RL,
            scores_R,
            stopped_R,
            wrong_R,
        )

    def _values(self, features_RLD: Tensor, mask_RL: Tensor) -> Tensor:
        values_RL: Tensor = self.critic(features_RLD).squeeze(-1) * mask_RL
        return values_RL

    def _rewards_RL(
        self, batch: Batch, scores_R: Tensor, stopped_R: Tensor, wrong_R: Tensor
    ) -> Tensor:
        """The score on the last reply token, less the penalties of a reply that did not end and of
        one that is wrong.
        """
        s = self.settings
        rewards_R = scores_R.clamp(-s.reward_clip, s.reward_clip)
        rewards_R = rewards_R - s.missing_stop_penalty * ~stopped_R - s.wrong_penalty * wrong_R
        rewards_RL = torch.zeros(batch.mask_RL.shape, device=scores_R.device)
        rewards_RL[torch.arange(len(rewards_R)), batch.lengths_R - 1] = rewards_R
        return rewards_RL

    def warm_critic(self, experience: Experience, passes: int = 30) -> None:
        """Fit the critic to the first returns, so that the first advantages mean something."""
        mask_RL = experience.mask_RL
        for _ in range(passes):
            values_RL = self._values(experience.features_RLD, mask_RL)
            self.critic_optimiser.step(
                value_loss(values_RL, values_RL.detach(), experience.returns_RL, mask_RL)
            )

    def learn(self, experience: Experience) -> dict[str, float]:
        """Epochs of minibatches over one step's replies; stops early where the policy ran off."""
        s, lengths = self.settings, [len(group) for group in experience.groups]
        size = max(1, s.minibatch // s.replies_per_prompt)
        total = Totals()
        for _ in range(s.epochs):
            for indices in by_length(lengths, size, self.rng):
                total.add(self._update(experience, indices))
            if total.mean("approx_kl") > s.update_kl:
                break
        return total.means()

    def _update(self, experience: Experience, indices: list[int]) -> dict[str, float]:
        """One optimiser step of policy and critic on these prompts' replies."""
        rows = experience.replies_of(indices)
        # Drawn before the parts run: the order of draws is not left to threads.
        parts = [(part, self._replayed(experience, part)) for part in halved(indices)]
        found = at_once(lambda part: self._differentiated(experience, *part, len(rows)), parts)
        loss = sum(metrics.pop("loss") for _, metrics in found)
        metrics = _together([metrics for _, metrics in found])
        metrics["gradient_norm"] = self.optimiser.follow([g for g, _ in found], loss)
        metrics["value_loss"] = self._update_critic(experience, rows)
        return metrics

    def _replayed(self, experience: Experience, indices: Sequence[int]) -> Sequence[Group]:
        """A supervised example for eight of these prompts' replies."""
        replies = len(experience.replies_of(indices))
        return self.replay(-(-replies // 8)) if self.settings.ptx else ()

    def _differentiated(
        self, experience: Experience, indices: Sequence[int], replay: Sequence[Group], size: int
    ) -> tuple[Gradients, dict[str, float]]:
        """Gradients and metrics of a part of a minibatch of `size` replies."""
        device, rows = self.policy.net.device, experience.replies_of(indices)
        batch = collate([experience.groups[i] for i in indices], device)
        loss, metrics = self._policy_terms(experience, batch, rows, size)
        if replay:
            ptx = supervised_loss(self.policy.net, collate(replay, device))
            loss = loss + self.settings.ptx * ptx * len(rows) / size
            metrics["ptx_loss"] = ptx.item()
        return self.optimiser.gradients(loss), metrics | {"loss": loss.item()}

    def _policy_terms(
        self, experience: Experience, batch: Batch, rows: list[int], size: int
    ) -> tuple[Tensor, dict[str, float]]:
        """The clipped surrogate plus the KL to the reference, scaled so that the parts of a
        minibatch of `size` replies add up to a mean over tokens, at the step's mean length.
        """
        s, mask_RL = self.settings, batch.mask_RL
        logits_NV = reply_logits_NV(self.policy.net, batch) / s.temperature
        with torch.no_grad():
            ref_logits_NV = reply_logits_NV(self.reference, batch) / s.temperature
        logps_RL = batch.placed(token_logps(logits_NV, batch.targets_N))
        old_RL, advantages_RL = (
            x[rows, : mask_RL.shape[1]] for x in (experience.old_logps_RL, experience.advantages_RL)
        )
        surrogate, metrics = policy_loss(logps_RL, old_RL, advantages_RL, mask_RL, s.clip)
        kl = full_kl(logits_NV, ref_logits_NV).mean()
        mean_tokens = experience.mask_RL.sum() / len(experience.scores_R)
        share = mask_RL.sum() / size / mean_tokens
        ref_RL = batch.placed(token_logps(ref_logits_NV, batch.targets_N))
        metrics |= {
            "policy_loss": surrogate.item(),
            "entropy": entropy(logits_NV.detach()).mean().item(),
            "kl": (old_RL - ref_RL).sum(1).mean().item(),
            "ratio_gap": ((logps_RL - old_RL).detach().exp() - 1).abs().max().item(),
        }
        return share * (surrogate + self.control.coef * kl), metrics

    def _update_critic(self, experience: Experience, rows: list[int]) -> float:
        e = experience
        mask_RL, features_RLD, old_RL, returns_RL = (
            x[rows] for x in (e.mask_RL, e.features_RLD, e.old_values_RL, e.returns_RL)
        )
        values_RL = self._values(features_RLD, mask_RL)
        loss = value_loss(values_RL, old_RL, returns_RL, mask_RL, self.settings.value_clip)
        self.critic_optimiser.step(loss)
        return loss.item()


def _together(parts: Sequence[dict[str, float]]) -> dict[str, float]:
    """The means of the metrics of a minibatch's parts; of `ratio_gap` the largest."""
    means = {name: sum(part[name] for part in parts) / len(parts) for name in parts[0]}
    return means | {"ratio_gap": max(part["ratio_gap"] for part in parts)}


class Totals:
    """Means of metrics over a step's minibatches. `ratio_gap` is the first minibatch's."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.count = 0
        self.first_gap: float | None = None

    def add(self, metrics: dict[str, float]) -> None:
        gap = metrics.pop("ratio_gap")
        self.first_gap = gap if self.first_gap is None else self.first_gap
        self.count += 1
        for name, value in metrics.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def mean(self, name: str) -> float:
        return self.sums[name] / self.count

    def means(self) -> dict[str, float]:
        means = {name: self.mean(name) for name in self.sums}
        return means | {"first_ratio_gap": self.first_gap or 0.0}


def critic_from(reward: RewardModel) -> nn.Linear:
    """A value head on the reward model's trunk that starts as its normalised reward head."""
    critic = nn.Linear(reward.head.in_features, 1, device=reward.net.device)
    with torch.no_grad():
        critic.weight.copy_(reward.head.weight / reward.std)
        critic.bias.fill_(-reward.mean / reward.std)
    return critic


def _about(experience: Experience) -> dict[str, float]:
    return {
        "reward": experience.scores_R.mean().item(),
        "reward_std": experience.scores_R.std().item(),
        "reply_tokens": experience.mask_RL.sum(1).float().mean().item(),
        "stopped": experience.stopped_R.float().mean().item(),
        "wrong": experience.wrong_R.float().mean().item(),
        "value": masked_mean(experience.old_values_RL, experience.mask_RL).item(),
    }
