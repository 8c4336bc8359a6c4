"""The weights that a round trains, kept aside and put back; a base that nets share stays out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from learner.ranks import sharding

Weights = dict[str, Tensor]
"""By name."""


def trained(net: nn.Module) -> Weights:
    """The net's own tensors of what is trained."""
    return {name: w.detach() for name, w in net.named_parameters() if w.requires_grad}


def copied(net: nn.Module) -> Weights:
    """A copy of what is trained."""
    return {name: weight.clone() for name, weight in trained(net).items()}


@torch.no_grad()
def put_back(net: nn.Module, kept: Weights) -> None:
    """What was kept, into the net."""
    for name, weight in trained(net).items():
        weight.copy_(sharding.placed(kept[name], weight))


@torch.no_grad()
def half_way_back(net: nn.Module, kept: Weights) -> None:
    """The mean of the weights and of those that were kept.

    Of an adapter it is the mean of its factors: their product is the mean of the products, less a
    quarter of the product of how far each has moved, which is small where a step is.
    """
    for name, weight in trained(net).items():
        weight.add_(kept[name]).div_(2)
