"""The engine's running rows, one by one and as a batch of tensors.

1. A `Row` is an answer in the making: it knows how far it has come and when it ends.
2. A `Batch` is what a decode step needs of all rows at once; it is built when rows change and moves
   on by itself between steps.

They know no model and no cache. Axes: B rows, T positions, S steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from policy import sampling
from policy.requests import Request, Scores, Token, Top
from policy.sampling import Draw, StackedParams
from policy.shaping import Shaping

_AHEAD = 32  # steps that a batch makes small tensors for at once


@dataclass
class Row:
    """An answer in the making. `length` positions are in the cache; `last` is the next input."""

    request: Request
    index: int
    scores: Scores | None = None
    length: int = field(init=False)
    last: int = field(init=False)
    said: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.said = list(self.request.said)
        self.length = len(self.request.known) - 1
        self.last = self.request.known[-1]

    def take(
        self, token: int, logp: float, raw_logp: float, top: Top, odds: Top, *, context: int
    ) -> Token:
        """Appends a drawn token. The context is full when one more input would not fit."""
        self.length += 1
        self.said.append(token)
        self.last = token
        params = self.request.params
        finish = None
        if math.isnan(raw_logp):
            finish = "fault"
        elif token in self.request.stop_ids:
            finish = "stop"
        elif len(self.said) >= params.max_tokens or self.length + 1 >= context:
            finish = "length"
        scores, self.scores = self.scores, None
        return Token(
            self.request.id,
            self.index,
            token,
            logp,
            raw_logp,
            finish,
            top[: params.top_logprobs],
            odds[: params.odds],
            scores,
        )

    @property
    def cached(self) -> tuple[int, ...]:
        """The tokens whose keys and values are in the cache."""
        return (*self.request.prompt, *self.said)[: self.length]


@dataclass
class Batch:
    """The running rows as tensors [B]; valid until a row joins or leaves. `steps_B`: the first that
    has no number yet."""

    ids_B: Tensor
    lengths_B: Tensor
    steps_B: Tensor
    keys_B: Tensor
    params: StackedParams
    shaping: Shaping | None
    uniforms: list[Tensor] = field(default_factory=list)  # of the next steps, the next one last
    mask_BT: Tensor | None = None

    @classmethod
    def of(cls, rows: list[Row], vocabulary: int, device: torch.device) -> Batch:
        """Reads the rows' state."""
        columns = (
            [row.last for row in rows],
            [row.length for row in rows],
            [len(row.said) for row in rows],
            [sampling.row_key(row.request.params.seed, row.index) for row in rows],
        )
        ids_B, lengths_B, steps_B, keys_B = torch.tensor(columns, device=device)
        params = sampling.stack([row.request.params for row in rows], device)
        shaping = Shaping.of(rows, vocabulary, device)
        return cls(ids_B, lengths_B, steps_B, keys_B, params, shaping)

    def draw(self, logits_BV: Tensor) -> Draw:
        """Each row's next token, and the batch moves on to it."""
        shaped_BV = self.shaping.shape(logits_BV) if self.shaping else None
        drawn = sampling.draw(logits_BV, self._uniforms(), self.params, shaped_BV)
        self._advance(drawn.ids_B)
        return drawn

    def mask(self, longest: int, dtype: torch.dtype) -> Tensor:
        """Additive [B, 1, 1, T]: a row sees its own positions 0..length, -inf hides the rest. Asked
        for at every step, since it is made for many and opened by a position at each."""
        mask_BT = self.mask_BT
        if mask_BT is None or longest >= mask_BT.shape[1]:
            width = (longest // _AHEAD + 2) * _AHEAD
            positions_T = torch.arange(width, device=self.lengths_B.device)
            hidden_BT = positions_T > self.lengths_B[:, None]
            zeros_BT = torch.zeros(hidden_BT.shape, dtype=dtype, device=hidden_BT.device)
            mask_BT = self.mask_BT = zeros_BT.masked_fill_(hidden_BT, -torch.inf)
        else:
            mask_BT.scatter_(1, self.lengths_B[:, None], 0.0)
        return mask_BT[:, None, None, : longest + 1]

    def _uniforms(self) -> Tensor:
        """The rows' numbers of this step."""
        if not self.uniforms:
            ahead_S1 = torch.arange(_AHEAD, device=self.steps_B.device).flip(0)[:, None]
            self.uniforms = list(sampling.uniforms(self.keys_B, self.steps_B + ahead_S1))
            self.steps_B += _AHEAD
        return self.uniforms.pop()

    def _advance(self, ids_B: Tensor) -> None:
        """What `Row.take` does, for all rows at once."""
        self.ids_B = ids_B
        self.lengths_B += 1
        if self.shaping:
            self.shaping.advance(ids_B)
            if self.shaping.over:
                self.shaping = None


def prefill_groups(rows: list[Row], slots: list[int]) -> Iterator[list[int]]:
    """Slots whose prompts are of like length, so that little of a padded pass is padding."""
    group: list[int] = []
    for slot in sorted(slots, key=lambda slot: rows[slot].length):
        if group and rows[slot].length > 1.25 * rows[group[0]].length + 8:
            yield group
            group = []
        group.append(slot)
    yield group
