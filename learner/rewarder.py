"""What rewards a reply: the reward model's score, and what else is weighed beside it.

PPO, the record of stored answers and `rankloop rewards score` all ask this one thing; the critic
still starts from the reward model's own head. A reward has parts, each normalised to mean 0 and
deviation 1 on the reference's replies; the total is the ranking part plus the weighted others.

Axes: R replies, M positions of a batch, D hidden.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from learner.batching import Batch, Group, by_length, collate
from learner.forward import hidden_MD
from learner.parallel import at_once, halved
from learner.reward import RewardModel

RANKING, TOTAL = "ranking", "total"
"""What rankings taught, and the sum of all parts."""


@dataclass(frozen=True)
class Rewards:
    """Of R replies: the total, and each part by its name, unweighted, `ranking` first."""

    total_R: Tensor
    parts: Mapping[str, Tensor]

    def rows(self) -> list[dict[str, float]]:
        """Each reply's figures by name, the total first."""
        columns = {TOTAL: self.total_R, **self.parts}
        lists = [column_R.tolist() for column_R in columns.values()]
        return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


class Rewarder:
    """The reward of replies, in total and in parts."""

    def __init__(self, own: RewardModel) -> None:
        self.own = own

    @classmethod
    def load(cls, folder: Path, device: torch.device | str = "cpu") -> Rewarder:
        """Of a published reward model."""
        return cls(RewardModel.load(folder).to(device))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self.own.net.device
        return device

    def rewards(self, batch: Batch, hidden: Tensor) -> Rewards:
        """Of a batch's replies, from the trunk's states (M, D)."""
        ranking_R = self.own.scores(hidden, batch)
        return Rewards(ranking_R, {RANKING: ranking_R})

    def score(self, groups: Sequence[Group], size: int = 16) -> list[list[dict[str, float]]]:
        """The figures of each group's replies, in their order, without gradients."""
        found: list[list[dict[str, float]]] = [[]] * len(groups)

        @torch.no_grad()
        def fill(batches: Sequence[list[int]]) -> None:
            for indices in batches:
                chosen = [groups[i] for i in indices]
                batch = collate(chosen, self.device)
                rows = iter(self.rewards(batch, hidden_MD(self.own.net, batch)).rows())
                for i, group in zip(indices, chosen, strict=True):
                    found[i] = [next(rows) for _ in group.replies]

        at_once(fill, halved(by_length([len(g) for g in groups], size, random.Random(0))))
        return found
