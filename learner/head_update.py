"""The reward model's head brought up to date on a trunk that stays as it is.

A few rankings more move the head at once, where a round would take minutes. With the trunk frozen
each answer is one vector, and what rankings say of a linear head is convex: it is solved, not
stepped towards. Rankings from before are played again, and the scores of all answers are held to
what the published head says of them, so that one ranking moves what it speaks of and little else.

Axes: R answers in all, K of one ranking, H heads, D hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from learner.ranked_group import RankedGroup
from learner.reward import loss_of
from learner.reward_model import RewardModel
from learner.reward_settings import RewardSettings

HOLD = 0.1
"""Weight of the squared change of a score, beside a ranking's loss. On the built-in model, 80
rankings played again, one that contradicts them was then ordered .74 right for .50, on average of
16, and unseen answers all as before; at 0.03 it was .77, and 17 such rankings cost twice as much of
what had been learned; at 0.3 .63.
"""

RIDGE = 1e-4
"""Weight of the head's own squared change, along what no answer has."""

STEPS = 30
"""Most steps of L-BFGS; a dozen were enough."""


@dataclass(frozen=True)
class Seen:
    """A ranking with its answers as the trunk has them."""

    ranking: RankedGroup
    features_KD: Tensor

    def weighing(self, weight: float) -> Seen:
        """The same, of another weight: what people are trusted with changes."""
        return replace(self, ranking=replace(self.ranking, weight=weight))


def heads_HD(model: RewardModel) -> Tensor:
    """The weights of the heads that rankings train."""
    weight_HD = model.head.weight if model.ensemble is None else model.ensemble.weight_HD
    return weight_HD.detach().clone()


@torch.no_grad()
def put(model: RewardModel, weight_HD: Tensor) -> None:
    """Give the model these heads."""
    own_HD = model.head.weight if model.ensemble is None else model.ensemble.weight_HD
    own_HD.copy_(weight_HD)
    model.settle()


def updated(
    model: RewardModel, published_HD: Tensor, seen: Sequence[Seen], settings: RewardSettings
) -> Tensor:
    """Heads (H, D) that agree with what was seen, near the published ones.

    The solver's steps are taken where the price of moving is the same in all directions: in the
    head's own space answers that are alike make it many times slower.
    """
    features_RD = torch.cat([s.features_KD for s in seen]) / model.std
    scores_RH = features_RD @ published_HD.T - model.mean / model.std
    to_head_DD = _equal_price(features_RD)
    sizes = [len(s.ranking.ranks) for s in seen]
    steps_HD = torch.zeros_like(published_HD, requires_grad=True)

    def cost() -> Tensor:
        moved_RH = features_RD @ (steps_HD @ to_head_DD).T
        parts = torch.split(scores_RH + moved_RH, sizes)
        losses = [
            s.ranking.weight * loss_of(scores_K, s.ranking, settings)
            for s, scores_KH in zip(seen, parts, strict=True)
            for scores_K in scores_KH.unbind(1)
        ]
        return torch.stack(losses).mean() + steps_HD.square().sum(1).mean()

    _solve(steps_HD, cost)
    return published_HD + (steps_HD @ to_head_DD).detach()


def _equal_price(features_RD: Tensor) -> Tensor:
    """(D, D) that turns a step of length 1 into a change of the head that costs 1: by HOLD the mean
    square of what it does to scores, and by RIDGE its own.
    """
    price_DD = HOLD * features_RD.T @ features_RD / len(features_RD)
    price_DD.diagonal().add_(RIDGE)
    one_DD = torch.eye(len(price_DD), dtype=price_DD.dtype, device=price_DD.device)
    factor_DD = torch.linalg.cholesky(price_DD)
    to_head_DD: Tensor = torch.linalg.solve_triangular(factor_DD, one_DD, upper=False)
    return to_head_DD


def _solve(steps_HD: Tensor, cost: Callable[[], Tensor]) -> None:
    """Bring `steps_HD` to where the cost is least."""
    solver = torch.optim.LBFGS([steps_HD], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> float:
        solver.zero_grad()
        value = cost()
        value.backward()  # type: ignore[no-untyped-call]
        return value.item()

    solver.step(closure)  # type: ignore[no-untyped-call]
