"""Several conversations to a row, none of which sees another. Knows no model and no loss.

Alone in its row a short conversation is mostly padding. Packed, each keeps the positions that it
has alone, and attends to itself only (block-diagonal and causal), so that its logits are the same
(Krell et al. 2021, 2107.02027).

Axes: B rows, T tokens of a row, N learned tokens of all rows in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from learner.demonstration import Demonstration

Row = list[Demonstration]


@dataclass(frozen=True)
class Packed:
    """Rows of conversations: `ids_BT` and `positions_BT` int64, `sees_B1TT` bool, who attends to
    whom. `targets_N` are the learned tokens, `predicts_N` indices into the flattened (B * T)
    positions: where the model's output is their distribution.
    """

    ids_BT: Tensor
    positions_BT: Tensor
    sees_B1TT: Tensor
    targets_N: Tensor
    predicts_N: Tensor


def rows_of(given: Sequence[Demonstration], width: int) -> list[Row]:
    """Rows of at most `width` tokens, or one conversation: longest first, each to the first row
    that has room.
    """
    rows: list[Row] = []
    for one in sorted(given, key=len, reverse=True):
        row = next((row for row in rows if sum(map(len, row)) + len(one) <= width), None)
        if row is None:
            rows.append([one])
        else:
            row.append(one)
    return rows


def packed(rows: Sequence[Row], device: torch.device | str = "cpu") -> Packed:
    """The rows, padded on the right to the longest; padding attends to padding."""
    assert rows, "there is something to pack"
    assert all(rows), "rows hold conversations"
    width = max(sum(map(len, row)) for row in rows)
    ids_BT, positions_BT, segments_BT, learned_BT = torch.tensor(
        [_padded(row, width) for row in rows]
    ).unbind(-1)
    own_BTT = segments_BT[:, :, None] == segments_BT[:, None, :]
    causal_TT = torch.ones(width, width, dtype=torch.bool).tril()
    stands_N = learned_BT.flatten().nonzero().squeeze(1)
    return Packed(
        ids_BT.to(device),
        positions_BT.to(device),
        (own_BTT & causal_TT)[:, None].to(device),
        ids_BT.flatten()[stands_N].to(device),
        (stands_N - 1).to(device),
    )


def _padded(row: Row, width: int) -> list[tuple[int, int, int, int]]:
    """Each token's (id, position in its conversation, conversation, whether it is learned);
    padding is conversation -1.
    """
    tokens = chain.from_iterable(
        zip(one.ids, range(len(one)), [place] * len(one), one.mask, strict=True)
        for place, one in enumerate(row)
    )
    known = list(tokens)
    return known + [(0, 0, -1, 0)] * (width - len(known))
