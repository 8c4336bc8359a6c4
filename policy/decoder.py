"""A model's two passes over a KV cache: a prompt's keys and values, and each row's next token.

Any decoder can take them by its own modules. A Llama-shaped one takes them on its weights alone: on
a small model a pass is mostly the cost of starting operations, and the modules start twice as many.
A prompt's pass ends with the last layer's keys and values, which are all that is wanted of it. On a
CPU such a model's decode step is compiled.

It knows no request and no sampling. Axes: B rows, H hidden, A heads of queries, K heads of keys, D
width of a head, T positions, N = B x T tokens, V vocabulary.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedModel

from policy import kernels
from policy.cache import SlotCache
from policy.layers import Layer, Norm, Product

SHAPES = frozenset({"llama", "mistral", "qwen2", "qwen3", "smollm3"})
"""Model types whose layers are those of policy.layers, up to biases, norms of heads and rotary
layers."""

Mask = Callable[[], Tensor]
"""Gives the mask [B, 1, 1, T] of this step, whose making it leaves to whoever needs one."""

_JOINING = threading.Lock()  # two engines may be built on one model at once


class Decoder(Protocol):
    """The passes; the cache has been told which slots and positions they are to write."""

    def begin(self) -> None:
        """Nothing runs, so the weights may have moved since."""

    def prefill(self, ids_BT: Tensor) -> None:
        """Writes the keys and values of whole prompts, from position 0."""

    def decode(self, ids_B: Tensor, lengths_B: Tensor, mask: Mask) -> Tensor:
        """One token further: logits_BV of rows that hold `lengths_B` positions each."""


def decoder(net: PreTrainedModel, cache: SlotCache) -> Decoder:
    """The quickest one that a model can take."""
    if net.config.model_type not in SHAPES or net.config.hidden_act != "silu":
        return ModuleDecoder(net, cache)
    sizes = (net.config.hidden_size, net.config.intermediate_size)
    even = not any(size % kernels.UNIT for size in sizes)
    first = next(net.parameters())
    return CompiledDecoder(net, cache) if even and kernels.fit(first) else LeanDecoder(net, cache)


class ModuleDecoder:
    """Any decoder, by its own modules."""

    def __init__(self, net: PreTrainedModel, cache: SlotCache) -> None:
        self._net = net
        self._cache = cache

    def begin(self) -> None:
        pass

    def prefill(self, ids_BT: Tensor) -> None:
        self._net.base_model(
            input_ids=ids_BT,
            position_ids=torch.arange(ids_BT.shape[1], device=ids_BT.device).expand_as(ids_BT),
            cache=self._cache,
            use_cache=True,
        )

    def decode(self, ids_B: Tensor, lengths_B: Tensor, mask: Mask) -> Tensor:
        result = self._net(
            input_ids=ids_B[:, None],
            position_ids=lengths_B[:, None],
            attention_mask=mask(),
            cache=self._cache,
            use_cache=True,
        )
        logits_BV: Tensor = result.logits[:, -1]
        return logits_BV


class LeanDecoder:
    """A Llama-shaped model, on the weights of `net`."""

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

    def begin(self) -> None:
        pass

    def prefill(self, ids_BT: Tensor) -> None:
        rows, length = ids_BT.shape
        x_NH: Tensor = self._embed(ids_BT.reshape(-1))
        turn = self._turn(x_NH, torch.arange(length, device=x_NH.device).repeat(rows))
        for place, layer in enumerate(self._layers):
            heads_BATD = self._heads(layer, x_NH, turn).view(rows, length, -1, self._width)
            heads_BATD = heads_BATD.transpose(1, 2)
            self._cache.fill(place, heads_BATD[:, self._queries :])
            if place + 1 < len(self._layers):
                x_NH = layer.after(x_NH, self._attend_within(heads_BATD))

    def decode(self, ids_B: Tensor, lengths_B: Tensor, mask: Mask) -> Tensor:
        x_BH: Tensor = self._embed(ids_B)
        turn, mask_B11T = self._turn(x_BH, lengths_B), mask()
        for place, layer in enumerate(self._layers):
            heads_BAD = self._heads(layer, x_BH, turn)
            x_BH = layer.after(x_BH, self._attend(place, heads_BAD, mask_B11T))
        return self._head(self._norm(x_BH))

    def _turn(self, x_NH: Tensor, positions_N: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and signed sines [N, 1, D] of these positions."""
        cos_N1D, sin_N1D = self._turns(x_NH).index_select(0, positions_N).chunk(2, 1)
        return cos_N1D, sin_N1D

    def _turns(self, x_NH: Tensor) -> Tensor:
        """Cosines and sines [T, 2, D] of the positions that there is room for, the first half of
        the sines negative: half a roll of the width is then what rotates it. No loaded model's hang
        on a length."""
        if len(self._turns_T2D) < self._cache.capacity:
            positions_1T = torch.arange(self._cache.capacity, device=x_NH.device)[None]
            cos_TD, sin_TD = (turn[0] for turn in self._rotary(x_NH, positions_1T))
            sin_TD[:, : self._width // 2] *= -1
            self._turns_T2D = torch.stack([cos_TD, sin_TD], 1)
        return self._turns_T2D

    def _heads(self, layer: Layer, x_NH: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        """Each token's heads of queries, keys and values [N, A + 2 K, D], turned to its
        position."""
        turned = self._queries + self._keys
        heads = layer.qkv(layer.before(x_NH)).view(len(x_NH), turned + self._keys, self._width)
        if layer.query_norm is not None and layer.key_norm is not None:
            heads[:, : self._queries] = layer.query_norm(heads[:, : self._queries])
            heads[:, self._queries : turned] = layer.key_norm(heads[:, self._queries : turned])
        if layer.rotary:
            cos_N1D, sin_N1D = turn
            queries_and_keys = heads[:, :turned]
            half = queries_and_keys.roll(self._width // 2, -1)
            queries_and_keys.mul_(cos_N1D).addcmul_(half, sin_N1D)
        return heads

    def _attend(self, place: int, heads_BAD: Tensor, mask_B11T: Tensor) -> Tensor:
        """What each row's queries find in its keys and values, its own new ones among them."""
        rows = len(heads_BAD)
        keys_BKTD, values_BKTD = self._cache.extend(place, heads_BAD[:, self._queries :])
        # Queries that share a head of keys attend as so many positions would, all of them the last.
        queries_BKGD = heads_BAD[:, : self._queries].reshape(rows, self._keys, -1, self._width)
        found = F.scaled_dot_product_attention(
            queries_BKGD, keys_BKTD, values_BKTD, attn_mask=mask_B11T, scale=self._scale
        )
        return found.reshape(rows, -1)

    def _attend_within(self, heads_BATD: Tensor) -> Tensor:
        """What each token of a prompt finds in itself and in those before it."""
        queries, keys, values = torch.split(heads_BATD, [self._queries, self._keys, self._keys], 1)
        shared = self._queries != self._keys
        found_BATD = F.scaled_dot_product_attention(
            queries, keys, values, is_causal=True, scale=self._scale, enable_gqa=shared
        )
        return found_BATD.transpose(1, 2).reshape(-1, self._queries * self._width)


class CompiledDecoder(LeanDecoder):
    """The same, its decode steps compiled (policy.kernels). Weights that are trained lie row by
    row, and are copied each time that it begins."""

    def __init__(self, net: PreTrainedModel, cache: SlotCache) -> None:
        super().__init__(net, cache)
        self._trained = any(weight.requires_grad for weight in net.parameters())
        self._take_weights()

    def begin(self) -> None:
        if self._trained:
            self._take_weights()

    def _take_weights(self) -> None:
        self._compiled = [_weights(layer) for layer in self._layers]
        head, bias = _array(self._head.weight), _array(self._head.bias)
        self._last = (_array(self._norm.weight), np.float32(self._norm.eps), head, bias)

    def decode(self, ids_B: Tensor, lengths_B: Tensor, mask: Mask) -> Tensor:
        x_BH: Tensor = self._embed(ids_B)
        few = len(x_BH) <= kernels.FEW
        for place, layer in enumerate(self._layers):
            where = self._where(place, layer, lengths_B)
            if few:
                kernels.step(x_BH.numpy(), *where)
            else:
                heads_BW = layer.qkv(layer.before(x_BH))
                found = kernels.attend(heads_BW.numpy(), *where)
                x_BH = layer.after(x_BH, torch.from_numpy(found))
        if few:
            return torch.from_numpy(kernels.logits(x_BH.numpy(), *self._last))
        return self._head(self._norm(x_BH))

    def _where(self, place: int, layer: Layer, lengths_B: Tensor) -> tuple[Any, ...]:
        """What a layer's kernels take beside the rows."""
        token_2HD = self._norm.weight.new_empty(2 * self._keys, self._width)
        slots = self._cache.slots(place, token_2HD)
        turns_T2D = self._turns(token_2HD)[: None if layer.rotary else 0]
        arrays = (lengths_B.numpy(), slots.numpy(), turns_T2D.numpy(), self._compiled[place])
        return *arrays, self._queries, np.float32(self._scale), np.float32(layer.before.eps)


def _weights(layer: Layer) -> kernels.Weights:
    query_norm, key_norm = layer.query_norm, layer.key_norm
    return kernels.Weights(
        before=_array(layer.before.weight),
        qkv=_array(layer.qkv.weight),
        qkv_bias=_array(layer.qkv.bias),
        query_norm=_array(query_norm.weight if query_norm else None),
        key_norm=_array(key_norm.weight if key_norm else None),
        out=_array(layer.out.weight),
        out_bias=_array(layer.out.bias),
        between=_array(layer.between.weight),
        gate_up=_array(layer.gate_up.weight),
        gate_up_bias=_array(layer.gate_up.bias),
        down=_array(layer.down.weight),
        down_bias=_array(layer.down.bias),
    )


def _array(weight: Tensor | None) -> Any:
    """As the kernels take it: a view where it lies so already. Empty for none."""
    return torch.empty(0).numpy() if weight is None else weight.detach().contiguous().numpy()
