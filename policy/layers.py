"""A Llama-shaped model's weights, as a pass that is written out takes them.

1. Query, key and value weights lie one after another in memory, and so do gate and up: each is one
   product. The model's parameters become views of the joined tensors, so nothing is held twice, and
   a training step or a loaded state is seen here at once.
2. Weights that need no gradient lie column by column where the compiled step takes them so.
3. What an adapter adds is taken beside the product, unmerged: the base's weights stay everybody's.
4. The arithmetic is that of transformers' modules. What differs is rounding.

Axes: N tokens, of whatever rows and positions; H hidden; R ranks of all adapters of a product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from policy import adapters, kernels


@dataclass(frozen=True)
class Norm:
    """Root mean square layer norm (Zhang and Sennrich 2019)."""

    weight: nn.Parameter
    eps: float

    @classmethod
    def of(cls, module: Any) -> Norm:
        return cls(module.weight, float(module.variance_epsilon))

    def __call__(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


@dataclass(frozen=True)
class LowRank:
    """What the adapters of one linear module or of several joined add: (x A) B."""

    down_HR: Tensor
    up_RW: Tensor

    @classmethod
    def of(cls, modules: Sequence[Any]) -> LowRank | None:
        """None where no module has an adapter. Each one's B meets its own columns alone."""
        found = [adapters.low_rank(module) for module in modules]
        if not any(found):
            return None
        none = [
            (m.weight.new_empty(0, m.in_features), m.weight.new_empty(m.out_features, 0))
            for m in modules
        ]
        downs, ups = zip(*(f or n for f, n in zip(found, none, strict=True)), strict=True)
        return cls(torch.cat(downs).t(), torch.block_diag(*ups).t())  # type: ignore[no-untyped-call]

    def add_to(self, out: Tensor, x: Tensor) -> Tensor:
        """In place, in the adapters' precision."""
        if out.dtype is self.up_RW.dtype:
            return out.addmm_(x @ self.down_HR, self.up_RW)
        return out.add_(x.to(self.up_RW.dtype) @ self.down_HR @ self.up_RW)


@dataclass(frozen=True)
class Product:
    """x W + b, of one linear module or of several joined, and what adapters add."""

    weight: Tensor
    bias: Tensor | None
    low: LowRank | None = None

    @classmethod
    def of(cls, *modules: Any) -> Product:
        biases = [module.bias for module in modules if module.bias is not None]
        weight = joined([module.weight for module in modules]).t()
        return cls(weight, joined(biases) if biases else None, LowRank.of(modules))

    def __call__(self, x: Tensor) -> Tensor:
        return self._rest(x @ self.weight, x)

    def added(self, residual: Tensor, x: Tensor) -> Tensor:
        """residual + x W + b."""
        return self._rest(torch.addmm(residual, x, self.weight), x)

    def _rest(self, out: Tensor, x: Tensor) -> Tensor:
        out = out if self.bias is None else out.add_(self.bias)
        return out if self.low is None else self.low.add_to(out, x)


@dataclass(frozen=True)
class Layer:
    """One decoder layer's weights. `query_norm` and `key_norm`: Qwen3's; `rotary`: not in every
    layer of SmolLM3."""

    before: Norm
    qkv: Product
    query_norm: Norm | None
    key_norm: Norm | None
    rotary: bool
    out: Product
    between: Norm
    gate_up: Product
    down: Product

    @classmethod
    def of(cls, layer: Any) -> Layer:
        attention, mlp = layer.self_attn, layer.mlp
        normed = hasattr(attention, "q_norm")
        return cls(
            before=Norm.of(layer.input_layernorm),
            qkv=Product.of(attention.q_proj, attention.k_proj, attention.v_proj),
            query_norm=Norm.of(attention.q_norm) if normed else None,
            key_norm=Norm.of(attention.k_norm) if normed else None,
            rotary=bool(getattr(attention, "use_rope", True)),
            out=Product.of(attention.o_proj),
            between=Norm.of(layer.post_attention_layernorm),
            gate_up=Product.of(mlp.gate_proj, mlp.up_proj),
            down=Product.of(mlp.down_proj),
        )

    def after(self, x_NH: Tensor, attended_NH: Tensor) -> Tensor:
        """What the layer gives on, once its attention has found something."""
        x_NH = self.out.added(x_NH, attended_NH)
        gate, up = self.gate_up(self.between(x_NH)).chunk(2, -1)
        return self.down.added(x_NH, F.silu(gate).mul_(up))


def joined(parts: Sequence[nn.Parameter]) -> Tensor:
    """The parameters as one tensor along their first axis; they become views of it."""
    first = parts[0].detach()
    size, strides = (sum(map(len, parts)), *first.shape[1:]), _strides(parts)
    if not _adjacent(parts, strides):
        # Outside of inference mode, so that they can still be trained.
        with torch.inference_mode(False), torch.no_grad():
            whole = torch.empty_strided(size, strides, dtype=first.dtype, device=first.device)
            torch.cat([part.detach() for part in parts], out=whole)
        for part, view in zip(parts, torch.split(whole, list(map(len, parts))), strict=True):
            part.data = view
        first = whole
    return first.as_strided(size, strides, first.storage_offset())


def _strides(parts: Sequence[nn.Parameter]) -> tuple[int, ...]:
    """Of the joined tensor. Optimisers and files want a matrix row by row."""
    first = parts[0]
    if first.dim() == 2 and kernels.fit(first) and not first.requires_grad:
        return 1, sum(map(len, parts))
    return (*first.shape[1:], 1)


def _adjacent(parts: Sequence[nn.Parameter], strides: tuple[int, ...]) -> bool:
    """Whether each begins where the one before it ends, in memory laid out like this."""
    return all(part.stride() == strides for part in parts) and all(
        before.untyped_storage().data_ptr() == after.untyped_storage().data_ptr()
        and before.storage_offset() + len(before) * strides[0] == after.storage_offset()
        for before, after in pairwise(parts)
    )
