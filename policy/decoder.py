"""A model's two passes over a KV cache: a prompt's keys and values, and each row's next token.

Any decoder can take them by its own modules. A Llama-shaped one takes them on its weights alone: on
a small model a pass is mostly the cost of starting operations, and the modules start twice as many.
A prompt's pass ends with the last layer's keys and values, which are all that is wanted of it.

It knows no request and no sampling. Axes: B rows, H hidden, A heads of queries, K heads of keys, D
width of a head, T positions, N = B x T tokens, V vocabulary.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedModel

from policy.cache import SlotCache
from policy.layers import Layer, Norm, Product

SHAPES = frozenset({"llama", "mistral", "qwen2", "qwen3", "smollm3"})
"""Model types whose layers are those of policy.layers, up to biases, norms of heads and rotary
layers."""

_JOINING = threading.Lock()  # two engines may be built on one model at once


class Decoder(Protocol):
    """The passes; the cache has been told which slots and positions they are to write."""

    def prefill(self, ids_BT: Tensor) -> None:
        """Writes the keys and values of whole prompts, from position 0."""

    def decode(self, ids_B: Tensor, lengths_B: Tensor, mask_B11T: Tensor) -> Tensor:
        """One token further: logits_BV of rows that hold `lengths_B` positions each."""


def decoder(net: PreTrainedModel, cache: SlotCache) -> Decoder:
    """The quicker one of the two that a model can take."""
    lean = net.config.model_type in SHAPES and net.config.hidden_act == "silu"
    return LeanDecoder(net, cache) if lean else ModuleDecoder(net, cache)


class ModuleDecoder:
    """Any decoder, by its own modules."""

    def __init__(self, net: PreTrainedModel, cache: SlotCache) -> None:
        self._net = net
        self._cache = cache

    def prefill(self, ids_BT: Tensor) -> None:
        self._net.base_model(
            input_ids=ids_BT,
            position_ids=torch.arange(ids_BT.shape[1], device=ids_BT.device).expand_as(ids_BT),
            past_key_values=self._cache,
            use_cache=True,
        )

    def decode(self, ids_B: Tensor, lengths_B: Tensor, mask_B11T: Tensor) -> Tensor:
        result = self._net(
            input_ids=ids_B[:, None],
            position_ids=lengths_B[:, None],
            attention_mask=mask_B11T,
            past_key_values=self._cache,
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

    def decode(self, ids_B: Tensor, lengths_B: Tensor, mask_B11T: Tensor) -> Tensor:
        x_BH: Tensor = self._embed(ids_B)
        turn = self._turn(x_BH, lengths_B)
        for place, layer in enumerate(self._layers):
            heads_BAD = self._heads(layer, x_BH, turn)
            x_BH = layer.after(x_BH, self._attend(place, heads_BAD, mask_B11T))
        return self._head(self._norm(x_BH))

    def _turn(self, x_NH: Tensor, positions_N: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines [N, 1, D] of these positions, the first half of the sines negative:
        half a roll of the width is then what rotates it. No loaded model's hang on a length."""
        if len(self._turns_T2D) < self._cache.capacity:
            positions_1T = torch.arange(self._cache.capacity, device=x_NH.device)[None]
            cos_TD, sin_TD = (turn[0] for turn in self._rotary(x_NH, positions_1T))
            sin_TD[:, : self._width // 2] *= -1
            self._turns_T2D = torch.stack([cos_TD, sin_TD], 1)
        cos_N1D, sin_N1D = self._turns_T2D.index_select(0, positions_N).chunk(2, 1)
        return cos_N1D, sin_N1D

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
