"""A Llama-shaped model's passes, compiled (policy.kernels): on a CPU, in float32, with one thread.

Axes: B rows, N tokens of whatever rows, H hidden, A heads of queries, K heads of keys, D width of a
head, W = (A + 2 K) x D, F both halves of what an MLP computes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from policy import adapters, kernels
from policy.cache import SlotCache
from policy.decoder import Mask
from policy.layers import Layer
from policy.lean_decoder import LeanDecoder


class CompiledDecoder(LeanDecoder):
    """The same as a LeanDecoder. Weights that are trained lie row by row, and are copied each time
    that it begins. What an adapter adds no kernel knows: then all products are torch's."""

    def __init__(self, net: PreTrainedModel, cache: SlotCache) -> None:
        super().__init__(net, cache)
        self._few = 0 if adapters.adapted(net) else kernels.FEW
        self._trained = any(weight.requires_grad for weight in net.parameters())
        self._take_weights()

    def begin(self) -> None:
        super().begin()
        if self._trained:
            self._take_weights()

    def _take_weights(self) -> None:
        self._compiled = [_weights(layer) for layer in self._layers]
        self._eps = np.float32(self._norm.eps)  # as all norms of a model have it
        head, bias = _array(self._head.weight), _array(self._head.bias)
        self._last = (_array(self._norm.weight), self._eps, head, bias)

    def decode(self, ids_B: Tensor, lengths_B: Tensor, mask: Mask) -> Tensor:
        x_BH: Tensor = self._embed(ids_B)
        lengths = lengths_B.numpy()
        turns = self._turns(x_BH, self._cache.capacity).numpy()
        if len(x_BH) <= self._few:
            for place in range(len(self._layers)):
                kernels.step(x_BH.numpy(), *self._where(place, lengths, turns))
            return torch.from_numpy(kernels.logits(x_BH.numpy(), *self._last))
        for place, layer in enumerate(self._layers):
            heads_BW = layer.qkv(self._normed(x_BH, self._compiled[place].before))
            found = kernels.attend(heads_BW.numpy(), *self._where(place, lengths, turns))
            x_BH = self._after(place, x_BH, torch.from_numpy(found))
        return self._head(self._normed(x_BH, self._last[0]))

    def _where(self, place: int, lengths: Any, turns: Any) -> tuple[Any, ...]:
        """What a layer's kernels take beside the rows."""
        token_2KD = self._norm.weight.new_empty(2 * self._keys, self._width)
        slots = self._cache.slots(place, token_2KD).numpy()
        weights, turned = self._compiled[place], self._turned(place, turns)
        return lengths, slots, turned, weights, self._queries, np.float32(self._scale), self._eps

    def _turned(self, place: int, turns: Any) -> Any:
        return turns if self._layers[place].rotary else turns[:0]

    def _turn(self, x_NH: Tensor, positions_N: Tensor, most: int) -> Any:
        return positions_N.numpy(), self._turns(x_NH, most).numpy()

    def _heads(self, place: int, x_NH: Tensor, turn: Any) -> Tensor:
        weights, (positions, turns) = self._compiled[place], turn
        heads_NW = self._layers[place].qkv(self._normed(x_NH, weights.before))
        heads_NAD = heads_NW.view(len(x_NH), -1, self._width)
        found = heads_NAD.numpy(), positions, self._turned(place, turns), weights
        kernels.turn(*found, self._queries, self._keys, self._eps)
        return heads_NAD

    def _after(self, place: int, x_NH: Tensor, found_NH: Tensor) -> Tensor:
        layer, weights = self._layers[place], self._compiled[place]
        x_NH = layer.out.added(x_NH, found_NH)
        gate_up_NF = layer.gate_up(self._normed(x_NH, weights.between))
        return layer.down.added(x_NH, torch.from_numpy(kernels.gated(gate_up_NF.numpy())))

    def _normed(self, x_NH: Tensor, weight: Any) -> Tensor:
        return torch.from_numpy(kernels.norm(x_NH.numpy(), weight, self._eps))


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
