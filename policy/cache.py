"""The engine's KV slots, in the form a transformers decoder writes to and reads from.

1. One tensor per layer, [slots, keys and values, capacity, width], its numbers allocated once.
   Active rows are slots 0..n-1, so a decode step reads plain views.
2. Positions are what is bounded. Short answers share them as many slots of few positions; where a
   row outgrows its slot the same numbers are laid out anew, as fewer slots of more.
3. `prefill` writes whole prompts into chosen slots, `decode` one token per active row at that
   row's own position. Which of the two a forward pass does is set before it.
4. A slot is forked, moved or kept by copying; what lies beyond a row's length the mask hides.

It knows no request, no sampling and no weights. Axes: B rows, H KV heads (2H: keys and values), T
positions, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, PreTrainedModel

_FIRST_CAPACITY = 128

Kept = tuple[Tensor, ...]
"""One slot's keys and values, [2H, T, D] for each layer."""


class SlotCache(Cache):
    """KV slots of `positions` in all, at most `context` each.

    The memory is positions x 2 heads x width x layers numbers, whatever the slots; the first pass
    reserves it and a page costs nothing before something is written to it. Needs
    torch.inference_mode around every use.
    """

    def __init__(self, positions: int, context: int) -> None:
        super().__init__(layers=[])
        self.positions = positions
        self.context = context
        self.capacity = min(_FIRST_CAPACITY, context, positions)
        self._layers: list[Tensor] = []
        self._slots_B: Tensor | None = None  # where a prefill writes; None while decoding
        self._lengths_B = torch.empty(0, dtype=torch.int64)
        self._longest = 0
        self._flat_BH: Tensor | None = None  # where a decode step writes, in units of width

    def fit(self, needed: int, rows: int, held: int) -> None:
        """Makes room for `rows` slots of `needed` positions, keeping what slots 0..held-1 hold."""
        if needed <= self.capacity and rows * self.capacity <= self.positions:
            return
        assert needed * rows <= self.positions, "the engine admits no more than there is room for"
        wanted = self.capacity if needed <= self.capacity else 2 * self.capacity
        most = min(self.context, self.positions // rows)
        self._lay_out(min(most, max(needed, wanted)), held)

    def reset(self) -> None:
        """Many short slots again; nothing is kept."""
        first = min(_FIRST_CAPACITY, self.context, self.positions)
        if self.capacity != first:
            self._lay_out(first, 0)

    def prefill(self, slots_B: Tensor) -> None:
        """The next forward pass fills these slots from position 0."""
        self._slots_B = slots_B

    def decode(self, lengths_B: Tensor, longest: int) -> None:
        """The next forward pass adds one token to each of slots 0..B-1, at position `lengths_B`;
        attention then sees positions 0..longest (the mask hides each row's own rest)."""
        self._slots_B = self._flat_BH = None
        self._lengths_B = lengths_B
        self._longest = longest

    def copy(self, source: int, first: int, last: int, length: int) -> None:
        """Copies one slot's first `length` positions into slots first..last-1."""
        for slots in self._layers:
            slots[first:last, :, :length] = slots[source, :, :length]

    def keep(self, slot: int, length: int) -> Kept:
        """A copy of one slot's first `length` positions."""
        return tuple(slots[slot, :, :length].clone() for slots in self._layers)

    def load(self, slot: int, kept: Sequence[Tensor]) -> None:
        """Writes what was kept into a slot, from position 0."""
        for layer, states in enumerate(kept):
            if layer == len(self._layers):
                self._layers.append(self._new(states))
            self._layers[layer][slot, :, : states.shape[1]] = states

    def clear(self, slot: int) -> None:
        """Forgets a slot that may hold NaN: hidden by the mask it would spoil the next row."""
        for slots in self._layers:
            slots[slot].zero_()

    def extend(self, layer: int, states_B2HD: Tensor) -> tuple[Tensor, Tensor]:
        """Adds one token's keys and values to each active row; gives all keys and all values
        [B, H, T, D] that attention is to see."""
        rows, heads, width = states_B2HD.shape
        slots = self.slots(layer, states_B2HD[0])
        if self._flat_BH is None or self._flat_BH.shape[1] != heads:
            self._flat_BH = self._flat(heads)
        # One copy by flat index is cheaper than indexing slot and position.
        slots.view(-1, width).index_copy_(
            0, self._flat_BH.view(-1), states_B2HD.reshape(rows * heads, width)
        )
        seen = slots[:rows, :, : self._longest + 1]
        return seen[:, : heads // 2], seen[:, heads // 2 :]

    def slots(self, layer: int, states_2HD: Tensor) -> Tensor:
        """All slots of a layer [S, 2H, T, D], made like one token's states if there are none."""
        if layer == len(self._layers):
            self._layers.append(self._new(states_2HD[:, None]))
        return self._layers[layer]

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """A layer's attention brings new states [B, H, T, D] and gets what it attends to."""
        states_B2HTD = torch.cat([key_states, value_states], 1)
        if self._slots_B is None:
            return self.extend(layer_idx, states_B2HTD[:, :, 0])
        self.fill(layer_idx, states_B2HTD)
        return key_states, value_states

    def fill(self, layer: int, states_B2HTD: Tensor) -> None:
        """Writes whole prompts' keys and values [B, 2H, T, D] into the slots chosen for them."""
        if layer == len(self._layers):
            self._layers.append(self._new(states_B2HTD[0]))
        self._layers[layer][self._slots_B, :, : states_B2HTD.shape[2]] = states_B2HTD

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Asked only where no mask is given, which is a prefill: nothing was seen before it."""
        return 0

    def get_mask_sizes(self, query_length: int, layer_idx: int = 0) -> tuple[int, int]:
        """A prefill attends to its own tokens."""
        return query_length, 0

    def _flat(self, heads: int) -> Tensor:
        """[B, H]: (slot x heads + head) x capacity + position."""
        rows = len(self._lengths_B)
        first = torch.arange(rows * heads, device=self._lengths_B.device) * self.capacity
        return first.view(rows, heads) + self._lengths_B[:, None]

    def _new(self, states_2HTD: Tensor) -> Tensor:
        """A layer's numbers. Zeros, not empty: a hidden position still meets a weight of 0, and
        0 x NaN is NaN."""
        heads, _, width = states_2HTD.shape
        return self._shaped(states_2HTD.new_zeros(self.positions * heads * width), heads, width)

    def _shaped(self, numbers: Tensor, heads: int, width: int) -> Tensor:
        slots = self.positions // self.capacity
        used = slots * heads * self.capacity * width
        return numbers[:used].view(slots, heads, self.capacity, width)

    def _lay_out(self, capacity: int, held: int) -> None:
        """The same numbers as slots of another capacity; the first `held` keep what they hold."""
        both, self.capacity = min(self.capacity, capacity), capacity
        for layer, slots in enumerate(self._layers):
            _, heads, _, width = slots.shape
            numbers = slots.as_strided((self.positions * heads * width,), (1,), 0)
            kept = slots[:held, :, :both].clone()
            self._layers[layer] = self._shaped(numbers, heads, width)
            self._layers[layer][:held, :, :both] = kept


def position_bytes(net: PreTrainedModel) -> int:
    """Bytes of one position's keys and values, over all layers."""
    config = net.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * width * net.dtype.itemsize)
