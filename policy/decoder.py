"""A decode step: the next token's logits of every row, from a model's weights and a KV cache.

Any decoder can take it by its own modules. A Llama-shaped one takes it on its weights alone:

1. One token of every row goes through all layers in some twenty operations a layer: on a small
   model a step is mostly the cost of starting operations, and the modules start about forty.
2. Query, key and value weights lie one after another in memory, and so do gate and up: each is one
   product. The model's parameters become views of the joined tensors, so nothing is held twice, and
   a training step or a loaded state is seen here at once. On a CPU, weights that need no gradient
   lie column by column.
3. The arithmetic is the modules', with the positions of the model's own rotary embedding. What
   differs is rounding.

It knows no request and no sampling. Axes: B rows, H hidden, A heads of queries, K heads of keys, D
width of a head, T positions, V vocabulary.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from policy.cache import SlotCache

SHAPES = frozenset({"llama", "mistral", "qwen2", "qwen3", "smollm3"})
"""Model types whose layers are the ones below, up to biases, norms of heads and rotary layers."""

_JOINING = threading.Lock()  # two engines may be built on one model at once


Decoder = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(ids_B, lengths_B, mask_B11T) -> logits_BV, of rows that hold `lengths_B` positions each; the
cache has been told where their new ones are to be written."""


def decoder(net: PreTrainedModel, cache: SlotCache) -> Decoder:
    """The quicker one of the two that a model can take."""
    lean = net.config.model_type in SHAPES and net.config.hidden_act == "silu"
    return LeanDecoder(net, cache) if lean else ModuleDecoder(net, cache)


class ModuleDecoder:
    """A decode step of any decoder, by its own modules."""

    def __init__(self, net: PreTrainedModel, cache: SlotCache) -> None:
        self._net = net
        self._cache = cache

    def __call__(self, ids_B: Tensor, lengths_B: Tensor, mask_B11T: Tensor) -> Tensor:
        result = self._net(
            input_ids=ids_B[:, None],
            position_ids=lengths_B[:, None],
            attention_mask=mask_B11T,
            past_key_values=self._cache,
            use_cache=True,
        )
        logits_BV: Tensor = result.logits[:, -1]
        return logits_BV


@dataclass(frozen=True)
class Norm:
    """Root mean square layer norm (Zhang and Sennrich 2019)."""

    weight: nn.Parameter
    eps: float
    eps_1: Tensor

    @classmethod
    def of(cls, module: Any) -> Norm:
        weight, eps = module.weight, float(module.variance_epsilon)
        return cls(weight, eps, torch.full((1,), eps, device=weight.device))

    def __call__(self, x: Tensor) -> Tensor:
        if x.is_cuda or x.dtype is not torch.float32:
            return F.rms_norm(x, self.weight.shape, self.weight, self.eps)
        # On a CPU torch's own is made of twice as many operations.
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        scale = torch.addcmul(self.eps_1, length, length, value=1 / x.shape[-1]).rsqrt_()
        return (x * scale).mul_(self.weight)


@dataclass(frozen=True)
class Product:
    """x W + b, of one linear module or of several joined."""

    weight: Tensor
    bias: Tensor | None

    @classmethod
    def of(cls, *modules: Any) -> Product:
        biases = [module.bias for module in modules if module.bias is not None]
        weight = joined([module.weight for module in modules]).t()
        return cls(weight, joined(biases) if biases else None)

    def __call__(self, x: Tensor) -> Tensor:
        if self.bias is None:
            return torch.mm(x, self.weight)
        return torch.addmm(self.bias, x, self.weight)

    def added(self, residual: Tensor, x: Tensor) -> Tensor:
        """residual + x W + b."""
        out = torch.addmm(residual, x, self.weight)
        return out if self.bias is None else out.add_(self.bias)


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


class LeanDecoder:
    """Decodes with the weights of `net`, keys and values in `cache`."""

    def __init__(self, net: PreTrainedModel, cache: SlotCache) -> None:
        model: Any = net.base_model
        attention = model.layers[0].self_attn
        self._cache = cache
        self._embed = net.get_input_embeddings()
        self._rotary = model.rotary_emb
        self._turns_T2D = torch.empty(0)
        with _JOINING:
            self._layers = [Layer.of(layer) for layer in model.layers]
        self._norm = Norm.of(model.norm)
        head: Any = net.get_output_embeddings()  # type: ignore[no-untyped-call]
        self._head = Product.of(head)
        self._width: int = attention.head_dim
        self._scale: float = attention.scaling
        self._keys: int = net.config.num_key_value_heads
        self._queries: int = net.config.num_attention_heads

    def __call__(self, ids_B: Tensor, lengths_B: Tensor, mask_B11T: Tensor) -> Tensor:
        x_BH: Tensor = self._embed(ids_B)
        turn = self._turn(x_BH, lengths_B)
        for place, layer in enumerate(self._layers):
            attended_BH = self._attend(place, layer, layer.before(x_BH), turn, mask_B11T)
            x_BH = layer.out.added(x_BH, attended_BH)
            gate, up = layer.gate_up(layer.between(x_BH)).chunk(2, -1)
            x_BH = layer.down.added(x_BH, F.silu(gate).mul_(up))
        return self._head(self._norm(x_BH))

    def _turn(self, x_BH: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines [B, 1, D] of the rows' positions, the first half of the sines negative:
        half a roll of the width is then what rotates it. No loaded model's hang on a length."""
        if len(self._turns_T2D) < self._cache.capacity:
            positions_1T = torch.arange(self._cache.capacity, device=x_BH.device)[None]
            cos_TD, sin_TD = (turn[0] for turn in self._rotary(x_BH, positions_1T))
            sin_TD[:, : self._width // 2] *= -1
            self._turns_T2D = torch.stack([cos_TD, sin_TD], 1)
        cos_B1D, sin_B1D = self._turns_T2D.index_select(0, lengths_B).chunk(2, 1)
        return cos_B1D, sin_B1D

    def _attend(
        self,
        place: int,
        layer: Layer,
        x_BH: Tensor,
        turn: tuple[Tensor, Tensor],
        mask_B11T: Tensor,
    ) -> Tensor:
        """What each row's queries find in its keys and values, its own new ones among them."""
        rows, turned = len(x_BH), self._queries + self._keys
        heads = layer.qkv(x_BH).view(rows, turned + self._keys, self._width)
        queries_and_keys = heads[:, :turned]
        if layer.query_norm is not None and layer.key_norm is not None:
            heads[:, : self._queries] = layer.query_norm(heads[:, : self._queries])
            heads[:, self._queries : turned] = layer.key_norm(heads[:, self._queries : turned])
        if layer.rotary:
            cos_B1D, sin_B1D = turn
            half = queries_and_keys.roll(self._width // 2, -1)
            queries_and_keys.mul_(cos_B1D).addcmul_(half, sin_B1D)
        keys_BKTD, values_BKTD = self._cache.extend(place, heads[:, self._queries :])
        # Queries that share a head of keys attend as so many positions would, all of them the last.
        queries_BKGD = heads[:, : self._queries].reshape(rows, self._keys, -1, self._width)
        found = F.scaled_dot_product_attention(
            queries_BKGD, keys_BKTD, values_BKTD, attn_mask=mask_B11T, scale=self._scale
        )
        return found.reshape(rows, -1)


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
    """Of the joined tensor. On a CPU a float32 matrix that lies column by column is multiplied with
    few rows in two thirds of the time; fused optimisers want one row by row."""
    first = parts[0]
    on_cpu = first.device.type == "cpu" and first.dtype is torch.float32
    if on_cpu and first.dim() == 2 and not first.requires_grad:
        return 1, sum(map(len, parts))
    return (*first.shape[1:], 1)


def _adjacent(parts: Sequence[nn.Parameter], strides: tuple[int, ...]) -> bool:
    """Whether each begins where the one before it ends, in memory laid out like this."""
    return all(part.stride() == strides for part in parts) and all(
        before.untyped_storage().data_ptr() == after.untyped_storage().data_ptr()
        and before.storage_offset() + len(before) * strides[0] == after.storage_offset()
        for before, after in pairwise(parts)
    )
