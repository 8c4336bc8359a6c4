"""What requests ask to be done to their logits before a token is drawn.

In vLLM's order: biases, no stop id before `min_tokens`, then the penalties. What a row asks touches
no other row's logits.

It knows no model, no cache and no distribution. Axes: B rows, V vocabulary; P (row, token) pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from policy.batch import Row


@dataclass(frozen=True)
class Pairs:
    """Single logits: `rows_P` and `ids_P` say which, `values_P` what about them."""

    rows_P: Tensor
    ids_P: Tensor
    values_P: Tensor

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int, float]], device: torch.device) -> Pairs | None:
        """None where there are none."""
        listed = list(pairs)
        if not listed:
            return None
        rows, ids, values = zip(*listed, strict=True)
        return cls(
            torch.tensor(rows, dtype=torch.int64, device=device),
            torch.tensor(ids, dtype=torch.int64, device=device),
            torch.tensor(values, dtype=torch.float32, device=device),
        )


@dataclass
class Penalties:
    """The rows' penalties, and which tokens they are for; `counts_BV` grows with the answers."""

    repetition_B: Tensor
    frequency_B: Tensor
    presence_B: Tensor
    counts_BV: Tensor
    prompt_BV: Tensor

    @classmethod
    def of(cls, rows: Sequence[Row], vocabulary: int, device: torch.device) -> Penalties:
        params = [row.request.params for row in rows]
        counts_BV = torch.zeros(len(rows), vocabulary, device=device)
        prompt_BV = torch.zeros_like(counts_BV, dtype=torch.bool)
        for place, row in enumerate(rows):
            if row.request.params.penalises:
                said = torch.tensor(row.said, dtype=torch.int64, device=device)
                counts_BV[place].index_add_(0, said, torch.ones_like(said, dtype=torch.float32))
                prompt_BV[place, list(row.request.prompt)] = True
        return cls(
            torch.tensor([p.repetition_penalty for p in params], device=device),
            torch.tensor([p.frequency_penalty for p in params], device=device),
            torch.tensor([p.presence_penalty for p in params], device=device),
            counts_BV,
            prompt_BV,
        )


class Shaping:
    """The rows' wishes as tensors; valid until a row joins or leaves."""

    def __init__(self, rows: Sequence[Row], vocabulary: int, device: torch.device) -> None:
        params = [row.request.params for row in rows]
        self.bias = Pairs.of(
            ((i, id, value) for i, p in enumerate(params) for id, value in p.logit_bias), device
        )
        early = [_early(row) for row in rows]
        self.held_back = Pairs.of(
            (
                (i, id, steps)
                for i, steps in enumerate(early)
                if steps
                for id in rows[i].request.stop_ids
            ),
            device,
        )
        self.early = max(early, default=0)
        self.step = 0
        penalised = any(p.penalises for p in params)
        self.penalties = Penalties.of(rows, vocabulary, device) if penalised else None

    @classmethod
    def of(cls, rows: Sequence[Row], vocabulary: int, device: torch.device) -> Shaping | None:
        """None where there is nothing to do."""
        if not any(row.request.params.shapes for row in rows):
            return None
        shaping = cls(rows, vocabulary, device)
        return None if shaping.over else shaping

    @property
    def over(self) -> bool:
        """Whether nothing is left to do at any further step."""
        return not (self.bias or self.penalties or self.step < self.early)

    def shape(self, logits_BV: Tensor) -> Tensor:
        """The logits to draw from, float32."""
        z_BV = logits_BV.float().clone()
        if bias := self.bias:
            z_BV.index_put_((bias.rows_P, bias.ids_P), bias.values_P, accumulate=True)
        if (held := self.held_back) and self.step < self.early:
            at = (held.rows_P, held.ids_P)
            z_BV[at] = z_BV[at].masked_fill(held.values_P > self.step, -torch.inf)
        return penalised(z_BV, self.penalties) if self.penalties else z_BV

    def advance(self, ids_B: Tensor) -> None:
        """Counts what was drawn."""
        self.step += 1
        if self.penalties:
            ones_B1 = torch.ones_like(ids_B, dtype=torch.float32)[:, None]
            self.penalties.counts_BV.scatter_add_(1, ids_B[:, None], ones_B1)


def _early(row: Row) -> int:
    """The steps for which a row's stop ids, if any, are held back."""
    return max(0, row.request.params.min_tokens - len(row.said)) if row.request.stop_ids else 0


def penalised(logits_BV: Tensor, penalties: Penalties) -> Tensor:
    """Seen tokens' logits are divided by the repetition penalty where positive and multiplied where
    not (Keskar et al. 2019, CTRL); said ones lose `presence` once and `frequency` each time."""
    said_BV = penalties.counts_BV > 0
    repetition_B1 = penalties.repetition_B[:, None]
    scaled_BV = torch.where(logits_BV > 0, logits_BV / repetition_B1, logits_BV * repetition_B1)
    z_BV = torch.where(said_BV | penalties.prompt_BV, scaled_BV, logits_BV)
    frequency_BV = penalties.frequency_B[:, None] * penalties.counts_BV
    return z_BV - frequency_BV - penalties.presence_B[:, None] * said_BV
