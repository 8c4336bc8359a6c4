"""The critic: what a reply is worth at each of its tokens, before it is known how it ends.

By default one linear head on the reward model's frozen trunk, which starts as the reward head. The
pass that scores a reply also yields the features, so it costs nothing and cannot pull at the
policy. It cannot learn what that trunk does not represent; `learner.own_critic` can.

Axes: R replies, L tokens of a reply, D hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from learner.experience import Experience
from learner.losses import gae, masked_mean, value_loss, whiten
from learner.optimise import Optimiser
from learner.reward_model import RewardModel
from learner.settings import PPOSettings
from learner.state import State
from learner.weights import put_back, trained

RATE = 1e-2
"""AdamW's peak rate for the head."""


@dataclass(frozen=True)
class Estimates:
    """What the critic expected of a step's replies, and what came.

    Returns are made of the advantages as they are; `advantages_RL` are whitened after.
    """

    mask_RL: Tensor
    values_RL: Tensor
    returns_RL: Tensor
    advantages_RL: Tensor

    @property
    def value(self) -> float:
        """Mean expectation over tokens."""
        return masked_mean(self.values_RL, self.mask_RL).item()


class Critic(Protocol):
    """Says what replies are worth, and learns it."""

    def estimate(self, experience: Experience, rewards_RL: Tensor) -> Estimates:
        """Values, returns and whitened advantages, by GAE."""

    def warm(self, experience: Experience, estimates: Estimates) -> None:
        """Fit it to the first step's returns, before its first update. That step's own advantages
        are those of the reward head; the next step's are the first to gain.
        """

    def update(self, experience: Experience, estimates: Estimates, indices: Sequence[int]) -> float:
        """One optimiser step on the replies to these prompts; returns the loss."""

    def state(self) -> State:
        """What was trained, and its optimiser."""

    def restore(self, state: State) -> None:
        """Go on from a state of the same round."""


def estimated(
    values_RL: Tensor, experience: Experience, rewards_RL: Tensor, settings: PPOSettings
) -> Estimates:
    """Returns and advantages of these values."""
    mask_RL = experience.mask_RL
    advantages_RL, returns_RL = gae(rewards_RL, values_RL, mask_RL, settings.gamma, settings.lam)
    return Estimates(mask_RL, values_RL, returns_RL, whiten(advantages_RL, mask_RL))


class HeadCritic:
    """The head on the reward model's trunk."""

    def __init__(self, reward: RewardModel, settings: PPOSettings, updates: int) -> None:
        self.settings = settings
        self.head = critic_from(reward)
        clip = settings.gradient_clip
        self.optimiser = Optimiser(self.head, RATE, steps=updates, gradient_clip=clip)

    @torch.no_grad()
    def estimate(self, experience: Experience, rewards_RL: Tensor) -> Estimates:
        values_RL = self._values(experience.features_RLD, experience.mask_RL)
        return estimated(values_RL, experience, rewards_RL, self.settings)

    def warm(self, experience: Experience, estimates: Estimates, passes: int = 30) -> None:
        e = estimates
        for _ in range(passes):
            values_RL = self._values(experience.features_RLD, e.mask_RL)
            self.optimiser.step(value_loss(values_RL, values_RL.detach(), e.returns_RL, e.mask_RL))

    def update(self, experience: Experience, estimates: Estimates, indices: Sequence[int]) -> float:
        e, rows = estimates, experience.replies_of(indices)
        mask_RL, features_RLD, old_RL, returns_RL = (
            x[rows] for x in (e.mask_RL, experience.features_RLD, e.values_RL, e.returns_RL)
        )
        values_RL = self._values(features_RLD, mask_RL)
        loss = value_loss(values_RL, old_RL, returns_RL, mask_RL, self.settings.value_clip)
        self.optimiser.step(loss)
        return loss.item()

    def state(self) -> State:
        return State.of(head=State(trained(self.head)), optimiser=self.optimiser.state())

    def restore(self, state: State) -> None:
        put_back(self.head, state.part("head").tensors)
        self.optimiser.restore(state.part("optimiser"))

    def _values(self, features_RLD: Tensor, mask_RL: Tensor) -> Tensor:
        values_RL: Tensor = self.head(features_RLD).squeeze(-1) * mask_RL
        return values_RL


def critic_from(reward: RewardModel) -> nn.Linear:
    """A value head on the reward model's trunk that starts as its normalised reward head."""
    critic = nn.Linear(reward.head.in_features, 1, device=reward.net.device)
    with torch.no_grad():
        critic.weight.copy_(reward.head.weight / reward.std)
        critic.bias.fill_(-reward.mean / reward.std)
    return critic
