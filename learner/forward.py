"""A forward pass of a net's trunk over a batch.

Axes: B rows, T tokens, M = B * T positions, D hidden, N reply tokens.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor
from transformers import PreTrainedModel

from learner.ranks import sharding


class Rows(Protocol):
    """What a pass reads of a batch (see `learner.batching.Batch`)."""

    @property
    def ids_BT(self) -> Tensor: ...
    @property
    def positions_BT(self) -> Tensor: ...
    @property
    def sees_B1TT(self) -> Tensor | None: ...
    @property
    def predicts_N(self) -> Tensor: ...


def hidden_MD(net: PreTrainedModel, batch: Rows) -> Tensor:
    """The trunk's last hidden states, positions flattened: `Batch`'s indices point into them."""
    output = sharding.standing(net).base_model(
        input_ids=batch.ids_BT,
        position_ids=batch.positions_BT,
        attention_mask=batch.sees_B1TT,
        use_cache=False,
    )
    states: Tensor = output.last_hidden_state
    return states.flatten(0, 1)
