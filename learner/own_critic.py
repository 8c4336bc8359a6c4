"""A critic of its own: a copy of the reward model, trained whole (InstructGPT, 2203.02155, C.4).

It can learn what the reward model's trunk does not represent, for the price of a second model's
weights, optimiser and passes.

Axes: R replies, L tokens of a reply, N reply tokens of a batch in order.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from learner import ranks
from learner.batching import Batch, Group, collate, passes
from learner.critic import Estimates, critic_from, estimated
from learner.experience import Experience
from learner.forward import hidden_MD
from learner.losses import value_loss
from learner.optimise import Gradients, GradientSum, Optimiser, rate_of
from learner.parallel import at_once, halved
from learner.ranks import sharding
from learner.reward_model import RewardModel
from learner.settings import PPOSettings
from learner.state import State
from learner.weights import put_back, trained

SMALL_RATE = 1e-3
"""AdamW's peak rate of a small model, as the reward model has it."""

WARM_PASSES = 2
"""Over the first step's replies; the trunk knows the reward, the returns are near it."""


class OwnCritic:
    """The copy with its value head."""

    def __init__(self, reward: RewardModel, settings: PPOSettings, updates: int) -> None:
        self.settings = settings
        with sharding.gathered(reward.net) as net:
            self.net = copied(net)
        sharding.share(self.net)
        self.head = critic_from(reward)
        self.both = nn.ModuleList([self.net, self.head])
        rate = rate_of(self.net, None, SMALL_RATE)
        clip = settings.gradient_clip
        self.optimiser = Optimiser(self.both, rate, steps=updates, gradient_clip=clip)

    def estimate(self, experience: Experience, rewards_RL: Tensor) -> Estimates:
        values_RL = self._all_values(experience)
        return estimated(values_RL, experience, rewards_RL, self.settings)

    def warm(self, experience: Experience, estimates: Estimates) -> None:
        everything = range(len(experience.groups))
        for _ in range(WARM_PASSES):
            self.update(experience, estimates, everything)

    def update(self, experience: Experience, estimates: Estimates, indices: Sequence[int]) -> float:
        tokens = estimates.mask_RL[experience.replies_of(indices)].sum()

        def differentiated(part: Sequence[int]) -> tuple[Gradients, float]:
            total, loss = GradientSum(self.optimiser), 0.0
            for run, counts in ranks.evenly(part, partial(self._passes, experience.groups)):
                share = self._loss(experience, estimates, run) / tokens * float(counts)
                total.add(share)
                loss += share.item()
            return total.take(), loss

        found = at_once(differentiated, halved(indices))
        loss = ranks.total(sum(loss for _, loss in found))
        self.optimiser.follow([gradients for gradients, _ in found], loss)
        return loss

    def state(self) -> State:
        return State.of(weights=State(trained(self.both)), optimiser=self.optimiser.state())

    def restore(self, state: State) -> None:
        put_back(self.both, state.part("weights").tensors)
        self.optimiser.restore(state.part("optimiser"))

    def _loss(self, experience: Experience, estimates: Estimates, run: Sequence[int]) -> Tensor:
        """Summed over the tokens of the replies to these prompts."""
        batch = self._batch(experience.groups, run)
        rows, length = experience.replies_of(run), int(batch.lengths_R.max())
        mask_RL, old_RL, returns_RL = (
            x[rows, :length] for x in (estimates.mask_RL, estimates.values_RL, estimates.returns_RL)
        )
        values_RL = batch.placed(self._values_N(batch))
        loss = value_loss(values_RL, old_RL, returns_RL, mask_RL, self.settings.value_clip)
        return loss * mask_RL.sum()

    def _all_values(self, experience: Experience) -> Tensor:
        """(R, L), without gradients; 0 behind a reply's end."""

        def read(own: Sequence[int]) -> list[Tensor]:
            values_RL = torch.zeros_like(experience.old_logps_RL)

            @torch.no_grad()
            def fill(runs: Sequence[list[int]]) -> None:
                for run in runs:
                    batch = self._batch(experience.groups, run)
                    found_RL = batch.placed(self._values_N(batch))
                    values_RL[experience.replies_of(run), : found_RL.shape[1]] = found_RL

            at_once(fill, halved(self._passes(experience.groups, own)))
            return [values_RL[experience.replies_of([i])] for i in own]

        with sharding.gathered(self.net):
            found = ranks.shared_out(read, range(len(experience.groups)))
        return torch.cat(found).to(self.net.device)

    def _values_N(self, batch: Batch) -> Tensor:
        states_ND = hidden_MD(self.net, batch)[batch.predicts_N].to(self.head.weight.dtype)
        values_N: Tensor = self.head(states_ND).squeeze(-1)
        return values_N

    def _passes(self, groups: Sequence[Group], indices: Sequence[int]) -> list[list[int]]:
        runs = passes([len(groups[i]) for i in indices], self.net.device)
        return [[indices[i] for i in run] for run in runs]

    def _batch(self, groups: Sequence[Group], run: Sequence[int]) -> Batch:
        return collate([groups[i] for i in run], self.net.device)


def copied(net: PreTrainedModel) -> PreTrainedModel:
    """A copy of the modules and of what is trained of them; what is frozen is shared."""
    frozen = {id(weight): weight for weight in net.parameters() if not weight.requires_grad}
    return copy.deepcopy(net, frozen)
