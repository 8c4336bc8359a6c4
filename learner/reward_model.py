"""The reward model: the policy's own trunk with a scalar head, or several.

1. A reply's score is half the head on its last token, as published, and half the head's mean over
   the reply. The mean gives every token a gradient of its own: 130 rankings from which the last
   token alone learned to order .66 right on unseen conversations taught both together .75.
2. Scores are normalised on samples of the reference policy to mean 0 and deviation 1, so that a KL
   coefficient means the same in every round.
3. Several heads may share the trunk (`learner.ensemble`). The score is then their mean, less, for
   PPO, some of their deviation: what nobody has ranked is not worth seeking out (Coste et al. 2023,
   2310.02743, who subtract the variance of whole models).

Axes: R replies, D hidden, H heads, K answers to one prompt.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from learner import ranks
from learner.batching import Batch, Group, by_length, collate
from learner.classifier import load_classifier, save_classifier
from learner.criteria import Criteria
from learner.ensemble import Ensemble
from learner.forward import hidden_MD
from learner.parallel import at_once, halved
from learner.ranks import sharding
from learner.state import State
from learner.weights import put_back, trained
from policy import adapters
from policy.model import own


class RewardModel(nn.Module):
    """A sequence classifier with one output, and the normalisation of its scores.

    With an ensemble `head` is the mean of its heads, and `pessimism` how many of their deviations
    a score lies below their mean.
    """

    def __init__(
        self,
        net: PreTrainedModel,
        ensemble: Ensemble | None = None,
        criteria: Criteria | None = None,
    ) -> None:
        super().__init__()
        self.net = net
        self.ensemble = ensemble
        self.criteria = criteria
        self.head: nn.Linear = net.score  # type: ignore[assignment]
        self.mean: float = getattr(net.config, "reward_mean", 0.0)
        self.std: float = getattr(net.config, "reward_std", 1.0)
        self.pessimism: float = getattr(net.config, "reward_pessimism", 0.0)

    @classmethod
    def start(
        cls,
        policy_folder: Path,
        seed: int,
        heads: int = 1,
        criteria: Mapping[str, float] | None = None,
    ) -> RewardModel:
        """The policy's trunk, and what `begin` puts on it."""
        net = AutoModelForSequenceClassification.from_pretrained(
            policy_folder, num_labels=1, dtype=torch.float32, use_safetensors=True
        )
        own(net)
        return cls.begin(net.eval(), seed, heads, criteria)

    @classmethod
    def begin(
        cls,
        net: PreTrainedModel,
        seed: int,
        heads: int = 1,
        criteria: Mapping[str, float] | None = None,
    ) -> RewardModel:
        """A classifier with a head of deviation 1/sqrt(d + 1) (Stiennon et al. 2020), or several;
        beside them one for each criterion, with what it counts.
        """
        generator = torch.Generator().manual_seed(seed)
        model = cls(net)
        width = model.head.in_features
        model.criteria = Criteria(criteria, width) if criteria else None
        if heads > 1:
            model.ensemble = Ensemble.start(heads, width, generator)
            model.settle()
            return model
        with torch.no_grad():
            model.head.weight.normal_(0.0, (width + 1) ** -0.5, generator=generator)
        return model

    @classmethod
    def load(cls, folder: Path, base: PreTrainedModel | None = None) -> RewardModel:
        """Read what `save` wrote; an adapter on the tensors of `base`."""
        if base is not None and adapters.is_adapter(folder):
            net = load_classifier(folder, base)
            return cls(net, Ensemble.load(folder), Criteria.load(folder))
        net = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True
        )
        return cls(net.eval(), Ensemble.load(folder), Criteria.load(folder))

    def save(self, folder: Path) -> None:
        """Write a Hugging Face folder, peft's of an adapter; the normalisation is kept in its
        config.
        """
        net = sharding.standing(self.net)
        net.config.reward_mean, net.config.reward_std = self.mean, self.std
        if self.ensemble is not None:
            net.config.reward_pessimism = self.pessimism
            self.ensemble.save(folder)
        if self.criteria is not None:
            self.criteria.save(folder)
        if adapters.adapted(net):
            save_classifier(net, folder)
        else:
            net.save_pretrained(folder)

    def state(self) -> State:
        """Weights and heads, and the normalisation of their scores."""
        levels = {} if self.ensemble is None else {"level_H": self.ensemble.level_H}
        if self.criteria is not None:
            levels |= {"mean_C": self.criteria.mean_C, "std_C": self.criteria.std_C}
        scale = {"mean": self.mean, "std": self.std, "pessimism": self.pessimism}
        return State.of(
            weights=State(trained(self)), level=State(levels), scale=State(values=scale)
        )

    def restore(self, state: State) -> None:
        """Be as the model of the same start was that gave this state."""
        put_back(self, state.part("weights").tensors)
        self.settle()
        levels = state.part("level").tensors
        if self.ensemble is not None:
            self.ensemble.level_H.copy_(levels["level_H"])
        if self.criteria is not None:
            self.criteria.mean_C.copy_(levels["mean_C"])
            self.criteria.std_C.copy_(levels["std_C"])
        scale = state.part("scale").values
        self.mean, self.std, self.pessimism = scale["mean"], scale["std"], scale["pessimism"]

    @torch.no_grad()
    def settle(self) -> None:
        """Make `head` the mean of the heads, after these were trained."""
        if self.ensemble is not None:
            self.head.weight.copy_(self.ensemble.mean_1D)

    @property
    def context(self) -> int:
        """The longest prompt and reply together that the trunk reads, in tokens."""
        return int(self.net.config.max_position_embeddings)

    def hidden_MD(self, batch: Batch) -> Tensor:
        """The trunk's states of a batch, in the head's precision."""
        return hidden_MD(self.net, batch).to(self.head.weight.dtype)

    def values(self, hidden: Tensor) -> Tensor:
        """The normalised head at any position: (..., D) gives (...)."""
        raw: Tensor = self.head(hidden).squeeze(-1)
        return (raw - self.mean) / self.std

    def scores(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Normalised scores (R,) of a batch's replies, from the trunk's states (M, D)."""
        own_RL = batch.placed(self.values(hidden[batch.stands_N]))
        mean_R = own_RL.sum(1) / batch.lengths_R
        scores_R = (mean_R + self.values(hidden[batch.last_R])) / 2
        if self.ensemble is None or not self.pessimism:
            return scores_R
        return scores_R - self.pessimism * self.ensemble.spread(hidden, batch) / self.std

    def by_head(self, batch: Batch) -> Tensor:
        """Each head's normalised scores of a batch's replies, (R, H)."""
        return self.scores_RH(self.hidden_MD(batch), batch)

    def heads_over(self, groups: Sequence[Group]) -> list[Tensor]:
        """Each head's normalised scores of each group's replies, (K, H)."""
        return self._over(groups, self.by_head)

    def by_criterion(self, groups: Sequence[Group]) -> list[Tensor]:
        """What is foretold of each group's replies by each criterion, (K, C)."""

        def foretold_RC(batch: Batch) -> Tensor:
            assert self.criteria is not None, "somebody asks for criteria that do not count"
            found_RC: Tensor = self.criteria(self.hidden_MD(batch), batch)
            return found_RC

        return self._over(groups, foretold_RC)

    def scores_RH(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Each head's normalised scores (R, H), which training follows, from the trunk's states."""
        if self.ensemble is None:
            return self.scores(hidden, batch)[:, None]
        scores_RH: Tensor = self.ensemble(hidden, batch)
        return (scores_RH - self.mean) / self.std

    def forward(self, batch: Batch) -> Tensor:
        """Normalised scores of a batch's replies, (R,)."""
        return self.scores(self.hidden_MD(batch), batch)

    def score(self, groups: Sequence[Group], size: int = 16) -> list[list[float]]:
        """Normalised scores of each group's replies, in their order."""
        return [found.tolist() for found in self._over(groups, self, size)]

    def _over(
        self, groups: Sequence[Group], call: Callable[[Batch], Tensor], size: int = 16
    ) -> list[Tensor]:
        """What `call` says of each group's replies, without gradients."""
        with sharding.gathered(self.net):
            return ranks.shared_out(lambda own: self._over_own(own, call, size), groups)

    def _over_own(
        self, groups: Sequence[Group], call: Callable[[Batch], Tensor], size: int
    ) -> list[Tensor]:
        scores = [torch.empty(0)] * len(groups)

        @torch.no_grad()
        def fill(batches: Sequence[list[int]]) -> None:
            for indices in batches:
                found = call(collate([groups[i] for i in indices], self.net.device))
                parts = torch.split(found, [len(groups[i].replies) for i in indices])
                for i, part in zip(indices, parts, strict=True):
                    scores[i] = part

        at_once(fill, halved(by_length([len(g) for g in groups], size, random.Random(0))))
        return scores

    def normalise_on(self, reference: Sequence[Group]) -> None:
        """Shift and scale so that the reference policy's samples score mean 0, deviation 1."""
        if self.ensemble is not None:
            levels_H = torch.cat(self.heads_over(reference)).mean(0)
            self.ensemble.level_H.copy_(self.std * levels_H + self.mean)
        if self.criteria is not None:
            self.criteria.normalise_on(torch.cat(self.by_criterion(reference)))
        scores = torch.tensor([s for group in self.score(reference) for s in group])
        self.mean += self.std * scores.mean().item()
        self.std *= max(scores.std().item(), 1e-6)
