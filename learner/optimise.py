"""One optimiser for all stages: AdamW, warm-up and decay, clipped gradients, finite steps only."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from learner import ranks
from learner.parallel import alone
from learner.ranks import sharding
from learner.settings import ADAPTER_RATE, learning_rate_for
from learner.state import State
from policy import adapters

Gradients = tuple[Tensor | None, ...]


class NotFinite(RuntimeError):
    """Three steps in a row had a loss or gradient that was not finite."""


class Optimiser:
    """AdamW whose rate rises over the first tenth of `steps` and falls to a tenth by their end."""

    def __init__(self, model: nn.Module, rate: float, *, steps: int, gradient_clip: float) -> None:
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.adam = torch.optim.AdamW(
            [{"params": kind} for kind in sharding.apart(self.parameters)],
            lr=rate,
            betas=(0.9, 0.95),
            weight_decay=0.0,
            fused=True,
        )
        warm_up = max(1, steps // 10)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.adam, lambda step: _warm_then_cosine(step, warm_up, steps)
        )
        self.gradient_clip = gradient_clip
        self.skipped = 0

    def step(self, loss: Tensor) -> float:
        """Take one step on `loss`, which every rank has whole; returns the gradient's norm before
        clipping.

        A step that is not finite is skipped; the third in a row raises NotFinite.
        """
        self._put([self.gradients(loss)])
        return self._move(loss.item())

    def gradients(self, loss: Tensor) -> Gradients:
        """Of one part of a step's loss; parts may be differentiated at once."""
        return torch.autograd.grad(loss, self.parameters, allow_unused=True)

    def accumulate(self, loss: Tensor) -> None:
        """Add one part's gradients to those of the parts before, in place: one at a time."""
        sharding.reached(loss, self.parameters)

    def follow(self, parts: Sequence[Gradients], loss: float) -> float:
        """`step` along the sum of the gradients of all parts of a loss, every rank's."""
        self._put(parts)
        ranks.added_up(self.parameters)
        return self._move(loss)

    def _put(self, parts: Sequence[Gradients]) -> None:
        for parameter, *found in zip(self.parameters, *parts, strict=True):
            known = [gradient for gradient in found if gradient is not None]
            parameter.grad = sum(known[1:], known[0]) if known else None

    def _move(self, loss: float) -> float:
        norm = sharding.clip(self.parameters, self.gradient_clip)
        if math.isfinite(norm) and math.isfinite(loss):
            self.adam.step()
            self.schedule.step()
            self.skipped = 0
        else:
            self._skip(loss, norm)
        self.adam.zero_grad(set_to_none=True)
        return norm

    def state(self) -> State:
        """Both moments and the count of updates of each weight, and where the rate is."""
        tensors = {
            f"{place}.{name}": tensor
            for place, parameter in enumerate(self.parameters)
            for name, tensor in self.adam.state[parameter].items()
        }
        return State(tensors, {"updates": self.schedule.last_epoch, "skipped": self.skipped})

    def restore(self, state: State) -> None:
        """Be as the optimiser of the same weights was that gave this state."""
        for key, tensor in state.tensors.items():
            place, _, name = key.partition(".")
            parameter = self.parameters[int(place)]
            own = sharding.placed(tensor.to(parameter.device, copy=True), parameter)
            self.adam.state[parameter][name] = own
        self.skipped, self.schedule.last_epoch = state.values["skipped"], state.values["updates"]
        for group, rate in zip(self.adam.param_groups, self.schedule.base_lrs, strict=True):
            group["lr"] = rate * self.schedule.lr_lambdas[0](self.schedule.last_epoch)

    def _skip(self, loss: float, norm: float) -> None:
        self.skipped += 1
        if self.skipped == 3:
            raise NotFinite(f"three steps in a row were not finite (loss {loss}, gradient {norm})")


class GradientSum:
    """Gradients of the passes of one part of a step. Where parts are differentiated at once each
    has a sum of its own, else they are added up where they stand.
    """

    def __init__(self, optimiser: Optimiser) -> None:
        self.optimiser = optimiser
        self.total: list[Tensor | None] = []

    def add(self, loss: Tensor) -> None:
        """One pass's."""
        if alone():
            self.optimiser.accumulate(loss)
            return
        part = self.optimiser.gradients(loss)
        if not self.total:
            self.total = list(part)
            return
        for i, gradient in enumerate(part):
            known = self.total[i]
            if gradient is not None:
                self.total[i] = gradient if known is None else known.add_(gradient)

    def take(self) -> Gradients:
        """The sum, which is given away."""
        if alone():
            self.total = [parameter.grad for parameter in self.optimiser.parameters]
            self.optimiser.adam.zero_grad(set_to_none=True)
        return tuple(self.total)


def rate_of(net: PreTrainedModel, chosen: float | None, small: float) -> float:
    """The chosen peak rate, or what suits a net of this size and what is trained of it."""
    if chosen is not None:
        return chosen
    rate = learning_rate_for(net.num_parameters(), small)
    return ADAPTER_RATE * rate if adapters.adapted(net) else rate


def _warm_then_cosine(step: int, warm_up: int, steps: int) -> float:
    if step < warm_up:
        return (step + 1) / warm_up
    share = min(1.0, (step - warm_up) / max(1, steps - warm_up))
    return 0.1 + 0.45 * (1 + math.cos(math.pi * share))
