"""A Llama-shaped model's passes on its weights alone.

On a small model a pass is mostly the cost of starting operations, and the modules start twice as
many. A prompt's pass ends with the last layer's keys and values, which are all that is wanted of
it.

Axes: B rows, H hidden, A heads of queries, K heads of keys, D width of a head, T positions, N = B x
T tokens, V vocabulary.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedModel

from policy import adapters
from policy.cache import Kept, SlotCache
from policy.decoder import Mask
from policy.layers import Layer, Norm, Product

_JOINING = threading.Lock()  # two engines may be built on one model at once


class LeanDecoder:
    """A Llama-shaped model, on the weights of `net`."""

    def __init__(self, net: PreTrainedModel, cache: SlotCache) -> None:
        model: Any = net.base_model
        attention = model.layers[0].self_attn
        self._model = model
        self._cache = cache
        # An adapter's factors are gathered, where the base's weights are seen as they stand.
        self._moves = adapters.adapted(net) and any(w.requires_grad for w in net.parameters())
        self._embed = net.get_input_embeddings()
        self._rotary = model.rotary_emb
        self._turns_T2D = torch.empty(0)
        self._take_layers()
        self._norm = Norm.of(model.norm)
        head: Any = net.get_output_embeddings()  # type: ignore[no-untyped-call]
        self._head = Product.of(head)
        self._width: int = attention.head_dim
        self._scale: float = attention.scaling
        self._keys: int = net.config.num_key_value_heads
        self._queries: int = net.config.num_attention_heads

    def begin(self) -> None:
        if self._moves:
            self._take_layers()

    def _take_layers(self) -> None:
        with _JOINING:
            self._layers = [Layer.of(layer) for layer in self._model.layers]

    def prefill(self, ids_BT: Tensor) -> None:
        rows, length = ids_BT.shape
        x_NH: Tensor = self._embed(ids_BT.reshape(-1))
        positions_N = torch.arange(length, device=x_NH.device).repeat(rows)
        turn = self._turn(x_NH, positions_N, length)
        for place in range(len(self._layers)):
            heads_BTAD = self._heads(place, x_NH, turn).view(rows, length, -1, self._width)
            heads_BATD = heads_BTAD.transpose(1, 2)
            queries_BATD, states_B2KTD = self._split(heads_BATD)
            self._cache.fill(place, states_B2KTD)
            if place + 1 < len(self._layers):
                x_NH = self._after(place, x_NH, self._attend_within(queries_BATD, states_B2KTD))

    def extend(self, kept: Kept, ids: Sequence[int], *, logits: bool) -> tuple[Kept, Tensor | None]:
        x_TH: Tensor = self._embed(torch.tensor(ids, device=self._norm.weight.device))
        begun = kept[0].shape[1] if kept else 0
        length = begun + len(ids)
        turn = self._turn(x_TH, torch.arange(begun, length, device=x_TH.device), length)
        now = []
        for place in range(len(self._layers)):
            heads_1ATD = self._heads(place, x_TH, turn).transpose(0, 1)[None]
            queries_1ATD, states_12KTD = self._split(heads_1ATD)
            if kept:
                states_12KTD = torch.cat([kept[place][None], states_12KTD], 2)
            now.append(states_12KTD[0])
            if logits or place + 1 < len(self._layers):
                found_TH = self._attend_within(queries_1ATD, states_12KTD)
                x_TH = self._after(place, x_TH, found_TH)
        return tuple(now), self._head(self._norm(x_TH)) if logits else None

    def decode(self, ids_B: Tensor, lengths_B: Tensor, mask: Mask) -> Tensor:
        x_BH: Tensor = self._embed(ids_B)
        turn, mask_B11T = self._turn(x_BH, lengths_B, self._cache.capacity), mask()
        for place in range(len(self._layers)):
            found_BH = self._attend(place, self._heads(place, x_BH, turn), mask_B11T)
            x_BH = self._after(place, x_BH, found_BH)
        return self._head(self._norm(x_BH))

    def _turn(self, x_NH: Tensor, positions_N: Tensor, most: int) -> Any:
        """What turns heads to these positions, all below `most`: cosines and signed sines
        [N, 1, D]."""
        cos_N1D, sin_N1D = self._turns(x_NH, most).index_select(0, positions_N).chunk(2, 1)
        return cos_N1D, sin_N1D

    def _turns(self, x_NH: Tensor, most: int) -> Tensor:
        """Cosines and sines [T, 2, D] of at least positions 0..most-1, the first half of the sines
        negative: half a roll of the width is then what rotates it. No loaded model's hang on a
        length."""
        if len(self._turns_T2D) < most:
            positions_1T = torch.arange(2 * most, device=x_NH.device)[None]
            cos_TD, sin_TD = (turn[0] for turn in self._rotary(x_NH, positions_1T))
            sin_TD[:, : self._width // 2] *= -1
            self._turns_T2D = torch.stack([cos_TD, sin_TD], 1)
        return self._turns_T2D

    def _heads(self, place: int, x_NH: Tensor, turn: Any) -> Tensor:
        """Each token's heads of queries, keys and values [N, A + 2 K, D], turned to its
        position."""
        layer, turned = self._layers[place], self._queries + self._keys
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

    def _after(self, place: int, x_NH: Tensor, found_NH: Tensor) -> Tensor:
        """What the layer gives on, once its attention has found something."""
        return self._layers[place].after(x_NH, found_NH)

    def _split(self, heads_BATD: Tensor) -> tuple[Tensor, Tensor]:
        """Queries [B, A, T, D]; keys and values [B, 2 K, T, D]."""
        return heads_BATD[:, : self._queries], heads_BATD[:, self._queries :]

    def _attend_within(self, queries_BATD: Tensor, states_B2KTD: Tensor) -> Tensor:
        """What each of a prompt's last tokens finds in itself and in all before it."""
        keys, values = states_B2KTD.chunk(2, 1)
        new, length = queries_BATD.shape[2], states_B2KTD.shape[2]
        seen_TT = None
        if new < length:
            seen_TT = torch.ones(new, length, dtype=torch.bool, device=keys.device)
            seen_TT = seen_TT.tril(length - new)
        found_BATD = F.scaled_dot_product_attention(
            queries_BATD,
            keys,
            values,
            attn_mask=seen_TT,
            is_causal=seen_TT is None,
            scale=self._scale,
            enable_gqa=self._queries != self._keys,
        )
        return found_BATD.transpose(1, 2).reshape(-1, self._queries * self._width)
