"""A model's passes over a KV cache: a prompt's keys and values, and each row's next token.

Any decoder can take them by its own modules. policy.lean_decoder takes them on the weights alone,
policy.compiled_decoder compiled; policy.decoders chooses.

It knows no request and no sampling. Axes: B rows, K heads of keys, D width of a head, T positions,
V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from policy.cache import Kept, SlotCache

Mask = Callable[[], Tensor]
"""Gives the mask [B, 1, 1, T] of this step, whose making it leaves to whoever needs one."""


class Decoder(Protocol):
    """The passes; the cache has been told which slots and positions they are to write."""

    def begin(self) -> None:
        """Nothing runs, so the weights may have moved since."""

    def prefill(self, ids_BT: Tensor) -> None:
        """Writes the keys and values of whole prompts, from position 0."""

    def extend(self, kept: Kept, ids: Sequence[int], *, logits: bool) -> tuple[Kept, Tensor | None]:
        """One prompt's next tokens after what is kept of it: all that is kept then and, if asked,
        their logits_TV. Leaves the cache alone."""

    def decode(self, ids_B: Tensor, lengths_B: Tensor, mask: Mask) -> Tensor:
        """One token further: logits_BV of rows that hold `lengths_B` positions each."""


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

    def extend(self, kept: Kept, ids: Sequence[int], *, logits: bool) -> tuple[Kept, Tensor | None]:
        past = DynamicCache()
        for place, states_2KTD in enumerate(kept):
            keys, values = states_2KTD[None].chunk(2, 1)
            past.update(keys, values, place)
        run = self._net if logits else self._net.base_model
        ids_1T = torch.tensor([ids], device=self._net.device)
        result = run(input_ids=ids_1T, cache=past, use_cache=True)
        layers: list[Any] = past.layers
        kept = tuple(torch.cat([layer.keys[0], layer.values[0]]) for layer in layers)
        return kept, result.logits[0] if logits else None

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
