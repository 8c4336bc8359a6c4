"""What rewards a reply: the reward model's score, and what else is weighed beside it.

PPO, the record of stored answers and `rankloop rewards score` all ask this one thing; the critic
still starts from the reward model's own head. A reward has parts, each normalised to mean 0 and
deviation 1 on the reference's replies; the total is the ranking part plus the weighted others.

Axes: R replies, M positions of a batch, D hidden.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from learner import ranks, scorers, text_model
from learner.batching import Batch, Group, by_length, collate
from learner.parallel import at_once, halved
from learner.ranks import sharding
from learner.reader import Exchange, Reader
from learner.reward_model import RewardModel
from learner.scorers import Scorer

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


@dataclass(frozen=True)
class Opinion:
    """What is said of one reply: its figures by name, and each head's score where there are several
    and the ranking part is theirs.
    """

    figures: dict[str, float]
    by_head: tuple[float, ...] | None = None


class Rewarder:
    """The reward of replies, in total and in parts."""

    def __init__(
        self,
        own: RewardModel,
        scorers: Sequence[Scorer] = (),
        reader: Reader | None = None,
        text: Scorer | None = None,
    ) -> None:
        assert reader or not (scorers or text), "scorers read text"
        self.own = own
        self.scorers = scorers
        self.reader = reader
        self.text = text

    @classmethod
    def load(
        cls,
        folder: Path,
        reader: Reader | None = None,
        device: torch.device | str = "cpu",
        base: PreTrainedModel | None = None,
    ) -> Rewarder:
        """Read what `save` wrote, an adapter over `base`; raises UnusableScorer."""
        own = RewardModel.load(folder, base).to(device)
        beside = scorers.load(folder, device)
        return cls(own, beside, reader, text_model.load(folder, device))

    def save(self, folder: Path) -> None:
        """Write the reward model, and beside it what was weighed with it."""
        self.own.save(folder)
        scorers.save(self.scorers, folder)
        if self.text is not None:
            text_model.save(self.text, folder)

    def normalise_on(self, reference: Sequence[Group]) -> None:
        """Bring all that reads text to mean 0, deviation 1 on the reference's replies, as the
        reward model was.
        """
        exchanges = self._read(reference)
        for scorer in (*self.scorers, *([self.text] if self.text else ())):
            scorer.normalise_on(exchanges)

    def _read(self, groups: Sequence[Group]) -> list[Exchange]:
        """As texts, where any scorer wants them."""
        return self.reader.read(groups) if self.reader and (self.scorers or self.text) else []

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self.own.net.device
        return device

    def rewards(self, groups: Sequence[Group], batch: Batch, hidden: Tensor) -> Rewards:
        """Of the replies of `groups`, from their batch and the trunk's states (M, D)."""
        exchanges = self._read(groups)
        total_R = self.text.scores(exchanges) if self.text else self.own.scores(hidden, batch)
        parts = {RANKING: total_R}
        for name, weight, score_R in self._beside(exchanges, batch, hidden):
            parts[name] = score_R
            total_R = total_R + weight * score_R
        return Rewards(total_R, parts)

    def _beside(
        self, exchanges: Sequence[Exchange], batch: Batch, hidden: Tensor
    ) -> Iterator[tuple[str, float, Tensor]]:
        """What is weighed beside the ranking: each part's name, weight and scores."""
        criteria = self.own.criteria
        if criteria is not None:
            scores_CR = criteria.scores(hidden, batch).T
            for (name, weight), score_R in zip(criteria.weights.items(), scores_CR, strict=True):
                yield name, weight, score_R
        for scorer in self.scorers:
            yield scorer.settings.name, scorer.settings.weight, scorer.scores(exchanges)

    def score(self, groups: Sequence[Group], size: int = 16) -> list[list[dict[str, float]]]:
        """The figures of each group's replies, in their order, without gradients."""
        return [[one.figures for one in group] for group in self.opinions(groups, size)]

    def opinions(self, groups: Sequence[Group], size: int = 16) -> list[list[Opinion]]:
        """All that is said of each group's replies, in one pass of the trunk, without gradients."""
        with sharding.gathered(self.own.net):
            return ranks.shared_out(lambda own: self._opinions(own, size), groups)

    def _opinions(self, groups: Sequence[Group], size: int) -> list[list[Opinion]]:
        found: list[list[Opinion]] = [[]] * len(groups)

        @torch.no_grad()
        def fill(batches: Sequence[list[int]]) -> None:
            for indices in batches:
                chosen = [groups[i] for i in indices]
                batch = collate(chosen, self.device)
                hidden = self.own.hidden_MD(batch)
                rows = self.rewards(chosen, batch, hidden).rows()
                said = map(Opinion, rows, self._by_head(hidden, batch))
                for i, group in zip(indices, chosen, strict=True):
                    found[i] = [next(said) for _ in group.replies]

        at_once(fill, halved(by_length([len(g) for g in groups], size, random.Random(0))))
        return found

    def _by_head(self, hidden: Tensor, batch: Batch) -> Iterable[tuple[float, ...] | None]:
        """Each head's scores of each reply; a text model stands in the heads' place."""
        if self.own.ensemble is None or self.text is not None:
            return repeat(None)
        return [tuple(scores_H) for scores_H in self.own.scores_RH(hidden, batch).tolist()]
