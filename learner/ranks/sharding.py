"""Full weights shared out among ranks, layer by layer, while they are trained: FSDP2.

1. Each rank keeps its part of each layer's weights, gradients and moments. A pass brings a layer
   together when it comes to it, and lets it go after (Zhao et al. 2023, 2304.11277).
2. What lies outside the layers, embeddings and heads, is whole on every rank: the head is asked
   outside of the trunk's pass.
3. Where weights are only read, a stand-in is whole meanwhile: a second tree of modules, which also
   the engine can read and which is saved as any net is.
4. All ranks enter and leave together, and make as many passes (`evenly`).

It imports what it needs of torch.distributed when there are several ranks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from learner.ranks.group import size, total
from policy import adapters

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


class StandIn:
    """A whole net in place of one that is shared out, while it is asked for."""

    def __init__(self, net: PreTrainedModel, layers: Sequence[nn.Module]) -> None:
        """Before the net is shared out."""
        self.net = adapters.share(net)
        self.asked = 0
        self.names = [
            f"{place}.{name}"
            for place, module in net.named_modules()
            if module in layers
            for name, _ in module.named_parameters()
        ]

    def fill(self, net: PreTrainedModel) -> None:
        """Bring the net's weights together here."""
        for name in self.names:
            weight = net.get_parameter(name)
            self.net.get_parameter(name).data = _together(weight.detach())

    def empty(self) -> None:
        """Let them go."""
        for name in self.names:
            weight = self.net.get_parameter(name)
            weight.data = weight.new_empty(0)


_stand_ins: WeakKeyDictionary[nn.Module, StandIn] = WeakKeyDictionary()


def share(net: PreTrainedModel) -> None:
    """Share the net's layers out, in place; nothing to a process that is alone, or to adapters,
    whose gradients are few.
    """
    layers = [module for module in net.modules() if isinstance(module, GradientCheckpointingLayer)]
    if size() == 1 or adapters.adapted(net) or not layers:
        return
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, fully_shard

    stand_in = StandIn(net, layers)
    mesh = init_device_mesh(net.device.type, (size(),))
    for layer in layers:
        fully_shard(layer, mesh=mesh, reshard_after_forward=True)
    outside = {weight for weight in net.parameters() if not sharded(weight)}
    fully_shard(net.base_model, mesh=mesh, ignored_params=outside)
    for module in net.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)  # parts of a loss add up to it
            module.set_force_sum_reduction_for_comms(True)
    stand_in.empty()
    _stand_ins[net] = stand_in


@contextmanager
def gathered(net: PreTrainedModel) -> Iterator[PreTrainedModel]:
    """The net whole, to be read: the stand-in of one that is shared out, else the net itself."""
    stand_in = _stand_ins.get(net)
    if stand_in is None:
        yield net
        return
    if not stand_in.asked:
        stand_in.fill(net)
    stand_in.asked += 1
    try:
        yield stand_in.net
    finally:
        stand_in.asked -= 1
        if not stand_in.asked:
            stand_in.empty()


def standing(net: PreTrainedModel) -> PreTrainedModel:
    """What a pass of the net goes through now: within `gathered` the stand-in."""
    stand_in = _stand_ins.get(net)
    return stand_in.net if stand_in is not None and stand_in.asked else net


def sharded(tensor: Tensor) -> bool:
    """Whether this rank holds a part of it."""
    return hasattr(tensor, "placements")


def whole(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as one process has them."""
    return {name: _together(tensor) for name, tensor in tensors.items()}


def placed(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor as this rank holds `like`: its part of it, or all."""
    if not sharded(like) or sharded(tensor) or tensor.shape != like.shape:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    of: DTensor = like  # type: ignore[assignment]
    return distribute_tensor(tensor, of.device_mesh, of.placements, src_data_rank=None)


def apart(parameters: Sequence[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Those that are whole, and those that are shared out: one update takes tensors of one kind."""
    kinds = [[p for p in parameters if sharded(p) is kind] for kind in (False, True)]
    return [kind for kind in kinds if kind]


def clip(parameters: Sequence[nn.Parameter], most: float) -> float:
    """Scale the gradients down to this norm over all of them; the norm that they had."""
    if not any(map(sharded, parameters)):
        return nn.utils.clip_grad_norm_(parameters, most).item()
    gradients = [p.grad for p in parameters if p.grad is not None]
    squares = dict.fromkeys((False, True), 0.0)
    for gradient in gradients:
        squares[sharded(gradient)] += _own(gradient).double().square().sum().item()
    norm = (squares[False] + total(squares[True])) ** 0.5
    for gradient in gradients:
        _own(gradient).mul_(min(1.0, most / (norm + 1e-6)))
    return float(norm)


def _together(tensor: Tensor) -> Tensor:
    if not sharded(tensor):
        return tensor
    part: DTensor = tensor  # type: ignore[assignment]
    return part.full_tensor()


def _own(tensor: Tensor) -> Tensor:
    if not sharded(tensor):
        return tensor
    part: DTensor = tensor  # type: ignore[assignment]
    return part.to_local()


def reached(loss: Tensor, parameters: Sequence[nn.Parameter]) -> None:
    """Add a loss's gradients to those of its parameters. What is shared out is no leaf of the loss:
    its layers add theirs up themselves, when they are done.
    """
    if any(map(sharded, parameters)):
        loss.backward()  # type: ignore[no-untyped-call]
    else:
        torch.autograd.backward(loss, inputs=list(parameters))
