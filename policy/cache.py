"""The engine's KV slots, in the form a transformers decoder writes to and reads from.

1. One pair of tensors per layer, [slots, heads, capacity, width], allocated once and grown only
   when a row outgrows them. Active rows are slots 0..n-1, so a decode step reads plain views.
2. `prefill` writes whole prompts into chosen slots, `decode` one token per active row at that
   row's own position. Which of the two a forward pass does is set before it.
3. A slot is forked or moved by copying; what lies beyond a row's length is hidden by the mask.

It knows no request, no sampling and no weights. Axes: B rows, H KV heads, T positions, D width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import Cache

_FIRST_CAPACITY = 256


class SlotCache(Cache):
    """KV slots for `slots` rows of at most `context` positions.

    The memory is slots x heads x capacity x width x 2 x layers numbers, where capacity starts at
    256 positions and doubles up to `context`. Needs torch.inference_mode around every use.
    """

    def __init__(self, slots: int, context: int) -> None:
        super().__init__(layers=[])
        self.slots = slots
        self.context = context
        self._capacity = min(_FIRST_CAPACITY, context)
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        self._slots_B: Tensor | None = None  # where a prefill writes; None while decoding
        self._lengths_B = torch.empty(0, dtype=torch.int64)
        self._longest = 0
        self._flat_BH: Tensor | None = None  # where a decode step writes, in units of width

    def prefill(self, slots_B: Tensor) -> None:
        """The next forward pass fills these slots from position 0."""
        self._slots_B = slots_B

    def decode(self, lengths_B: Tensor, longest: int) -> None:
        """The next forward pass adds one token to each of slots 0..B-1, at position `lengths_B`;
        attention then sees positions 0..longest (the mask hides each row's own rest)."""
        self._slots_B = self._flat_BH = None
        self._lengths_B = lengths_B
        self._longest = longest
        self._grow(longest + 1)

    def copy(self, source: int, first: int, last: int, length: int) -> None:
        """Copies one slot's first `length` positions into slots first..last-1."""
        for slots in (*self._keys, *self._values):
            slots[first:last, :, :length] = slots[source, :, :length]

    def clear(self, slot: int) -> None:
        """Forgets a slot that may hold NaN: hidden by the mask it would spoil the next row."""
        for slots in (*self._keys, *self._values):
            slots[slot].zero_()

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """A layer's attention brings new states [B, H, T, D] and gets what it attends to."""
        if layer_idx == len(self._keys):
            self._keys.append(self._new(key_states))
            self._values.append(self._new(value_states))
        if self._slots_B is not None:
            self._fill(key_states, value_states, layer_idx)
            return key_states, value_states
        return (
            self._extend(self._keys[layer_idx], key_states),
            self._extend(self._values[layer_idx], value_states),
        )

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Asked only where no mask is given, which is a prefill: nothing was seen before it."""
        return 0

    def get_mask_sizes(self, query_length: int, layer_idx: int = 0) -> tuple[int, int]:
        """A prefill attends to its own tokens."""
        return query_length, 0

    def _fill(self, keys_BHTD: Tensor, values_BHTD: Tensor, layer: int) -> None:
        length = keys_BHTD.shape[2]
        self._grow(length)
        self._keys[layer][self._slots_B, :, :length] = keys_BHTD
        self._values[layer][self._slots_B, :, :length] = values_BHTD

    def _extend(self, slots: Tensor, states_BH1D: Tensor) -> Tensor:
        rows, heads, _, width = states_BH1D.shape
        if self._flat_BH is None or self._flat_BH.shape[1] != heads:
            self._flat_BH = self._positions(heads)
        # One copy by flat index is cheaper than indexing slot and position.
        slots.view(-1, width).index_copy_(
            0, self._flat_BH.view(-1), states_BH1D.reshape(rows * heads, width)
        )
        return slots[:rows, :, : self._longest + 1]

    def _positions(self, heads: int) -> Tensor:
        """[B, H]: (slot x heads + head) x capacity + position."""
        rows = len(self._lengths_B)
        first = torch.arange(rows * heads, device=self._lengths_B.device) * self._capacity
        return first.view(rows, heads) + self._lengths_B[:, None]

    def _new(self, states_BHTD: Tensor) -> Tensor:
        _, heads, _, width = states_BHTD.shape
        # Zeros, not empty: a hidden position still meets a weight of 0, and 0 x NaN is NaN.
        return states_BHTD.new_zeros(self.slots, heads, self._capacity, width)

    def _grow(self, needed: int) -> None:
        if needed <= self._capacity:
            return
        assert needed <= self.context, "the engine admits no row longer than the context"
        old, self._capacity = self._capacity, min(self.context, max(needed, 2 * self._capacity))
        for tensors in (self._keys, self._values):
            for layer, slots in enumerate(tensors):
                _, heads, _, width = slots.shape
                grown = slots.new_zeros(self.slots, heads, self._capacity, width)
                grown[:, :, :old] = slots
                tensors[layer] = grown
