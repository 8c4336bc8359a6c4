"""The reference that the policy is held near: fixed, or following it slowly.

Axes: N reply tokens of a batch in order, D hidden.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from learner.batching import Batch, Group, collate
from learner.ranks import sharding
from learner.vocabulary import Distributions, reply_logps_N

GROUPS = 8
"""Prompts with their replies in one pass."""


class Anchor:
    """A net whose distributions, at the rollouts' temperature, the KL is measured from.

    With a `decay` it is a copy of the reference that becomes, after each step,
    decay * itself + (1 - decay) * policy (Rame et al. 2024, 2406.16768: the moving anchor lets a
    long run go further at the same KL). It starts as the reference, not as the policy.

    Where `again` says that a step's replies will be asked of more than once, as several epochs do,
    it keeps their hidden states until the step ends: the trunk reads each of them once.
    """

    def __init__(
        self,
        reference: PreTrainedModel,
        temperature: float,
        decay: float | None,
        again: bool = False,
    ) -> None:
        self.net = reference if decay is None else copy.deepcopy(reference)
        self.temperature = temperature
        self.decay = decay
        self.again = again
        self.kept: dict[Group, Tensor] = {}

    @torch.no_grad()
    def distributions(self, batch: Batch, groups: Sequence[Group]) -> Distributions:
        """Those that the reply tokens of these groups, which the batch is of, would have been drawn
        from.
        """
        if self.kept and all(group in self.kept for group in groups):
            states_ND = torch.cat([self.kept[group] for group in groups])
            return Distributions.over(self.net, states_ND, self.temperature)
        found = Distributions.of(self.net, batch, self.temperature)
        if self.again:
            tokens = [sum(map(len, group.replies)) for group in groups]
            parts = torch.split(found.states_ND, tokens)
            self.kept.update(zip(groups, parts, strict=True))
        return found

    @torch.no_grad()
    def logps_N(self, groups: Sequence[Group]) -> Tensor:
        """Log-probabilities of all groups' reply tokens, in order."""
        parts = [groups[i : i + GROUPS] for i in range(0, len(groups), GROUPS)]
        batches = [collate(part, self.net.device) for part in parts]
        return torch.cat(
            [reply_logps_N(self.net, b, b.targets_N, self.temperature) for b in batches]
        )

    @torch.no_grad()
    def follow(self, policy: PreTrainedModel) -> None:
        """The step ends: one of the moving average, where the reference is not fixed."""
        self.kept.clear()
        if self.decay is None:
            return
        with sharding.gathered(policy) as net:
            for mine, its in zip(self.net.parameters(), net.parameters(), strict=True):
                mine.lerp_(its, 1.0 - self.decay)
