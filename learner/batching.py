"""Prompts with their replies to padded tensors. Knows no model and no loss.

1. All replies to a prompt share one row behind it, and the prompt is run once: a reply sees the
   prompt and itself, and stands at the positions it would have alone.
2. Rows are padded on the right. What counts is said by indices, never read off the ids.

Axes: B rows (one prompt each), T tokens of a row, R replies of the batch in order, L tokens of a
reply, N tokens of all replies in order.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Group:
    """A prompt and replies to it, as token ids; a reply that stopped ends with its stop token."""

    prompt: Ids
    replies: tuple[Ids, ...]

    def __len__(self) -> int:
        return len(self.prompt) + sum(map(len, self.replies))


@dataclass(frozen=True)
class Batch:
    """Padded groups.

    `ids_BT` and `positions_BT` int64; `sees_B1TT` bool, who attends to whom, None where plain
    causal attention says it. Indices into the flattened (B * T) positions: `stands_N`, where a
    reply token stands, `predicts_N`, where the model's output is its distribution, and `last_R`,
    where a reply ends. `reply_N` and `offset_N` say which reply a token belongs to, and its place.
    """

    ids_BT: Tensor
    positions_BT: Tensor
    sees_B1TT: Tensor | None
    targets_N: Tensor
    stands_N: Tensor
    predicts_N: Tensor
    reply_N: Tensor
    offset_N: Tensor
    last_R: Tensor

    def placed(self, values_N: Tensor) -> Tensor:
        """Per-token values as (R, L), or (R, L, ...) of (N, ...); 0 behind a reply's end."""
        shape = (len(self.last_R), int(self.offset_N.max()) + 1, *values_N.shape[1:])
        placed = values_N.new_zeros(shape)
        return placed.index_put((self.reply_N, self.offset_N), values_N)

    @cached_property
    def mask_RL(self) -> Tensor:
        """True where a reply has a token."""
        return self.placed(torch.ones_like(self.targets_N, dtype=torch.bool))

    @property
    def lengths_R(self) -> Tensor:
        """Tokens of each reply."""
        return self.mask_RL.sum(1)


def collate(groups: Sequence[Group], device: torch.device | str = "cpu") -> Batch:
    """Pad groups to their longest. Every prompt and every reply has at least one token."""
    assert groups, "a batch needs at least one row"
    assert all(g.prompt and all(g.replies) for g in groups), "prompts and replies have tokens"
    width = max(map(len, groups))
    rows_BTC = torch.tensor([_padded(group, width) for group in groups])
    ids_BT, positions_BT, segments_BT = rows_BTC.unbind(-1)
    spots = [spot for row, group in enumerate(groups) for spot in _spots(group, row * width)]
    targets_N, stands_N, predicts_N, offset_N = torch.tensor(spots).unbind(-1)
    reply_N = (offset_N == 0).cumsum(0) - 1
    last_R = stands_N[torch.cat([offset_N[1:] == 0, torch.tensor([True])])]
    alone = all(len(group.replies) == 1 for group in groups)
    sees = None if alone else _sees(segments_BT).to(device)
    rest = (targets_N, stands_N, predicts_N, reply_N, offset_N, last_R)
    return Batch(ids_BT.to(device), positions_BT.to(device), sees, *(x.to(device) for x in rest))


def _padded(group: Group, width: int) -> list[tuple[int, int, int]]:
    """A row's (id, position, segment): segment 0 is the prompt, 1.. the replies, -1 padding."""
    row = [(token, i, 0) for i, token in enumerate(group.prompt)]
    for segment, reply in enumerate(group.replies, 1):
        row += [(token, len(group.prompt) + i, segment) for i, token in enumerate(reply)]
    return row + [(0, 0, -1)] * (width - len(row))


def _spots(group: Group, base: int) -> Iterator[tuple[int, int, int, int]]:
    """Each reply token's (id, index, index that predicts it, place in its reply)."""
    own = base + len(group.prompt)
    for reply in group.replies:
        for offset, token in enumerate(reply):
            before = own - 1 if offset else base + len(group.prompt) - 1
            yield token, own, before, offset
            own += 1


def _sees(segments_BT: Tensor) -> Tensor:
    """(B, 1, T, T): each token sees what stands before it in the prompt and in its own reply."""
    own = segments_BT[:, :, None] == segments_BT[:, None, :]
    prompt = (segments_BT == 0)[:, None, :]
    causal = torch.ones(segments_BT.shape[1], segments_BT.shape[1], dtype=torch.bool).tril()
    return ((own | prompt) & causal)[:, None]


PASS_TOKENS = {"cpu": 512, "cuda": 16_384}
"""Tokens of one pass, padding included, by the kind of device: more are no quicker on a CPU, where
their activations leave its caches and fill its memory."""

LIKE, FEW = 0.9, 256
"""A pass of more than `FEW` tokens takes only rows that are at least `LIKE` as long as its longest:
so little is padding."""


def passes(lengths: Sequence[int], device: torch.device | str = "cpu") -> list[list[int]]:
    """Indices of rows of like length in runs, one for each pass; a row that is longer than a pass
    has one of its own.
    """
    most = PASS_TOKENS[torch.device(device).type]
    runs: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if not runs or not _fits(lengths[runs[-1][0]], len(runs[-1]), lengths[i], most):
            runs.append([])
        runs[-1].append(i)
    return runs


def _fits(shortest: int, rows: int, longest: int, most: int) -> bool:
    like = shortest >= LIKE * longest or shortest * rows <= FEW
    return like and (rows + 1) * longest <= most


def by_length(lengths: Sequence[int], size: int, rng: random.Random) -> list[list[int]]:
    """Indices in groups of `size` of like length, the groups in random order.

    Near-ties fall differently each time, so that groups change from epoch to epoch while little is
    padded.
    """
    order = _nearly_sorted(lengths, rng)
    groups = [order[i : i + size] for i in range(0, len(order), size)]
    rng.shuffle(groups)
    return groups


def by_tokens(
    lengths: Sequence[int], tokens: Sequence[int], most: int, rng: random.Random
) -> list[list[int]]:
    """As `by_length`, in groups of at most `most` of the items' `tokens`; an item that has more is
    a group of its own.
    """
    groups: list[list[int]] = []
    held = 0
    for i in _nearly_sorted(lengths, rng):
        held += tokens[i]
        if not groups or held > most:
            groups.append([])
            held = tokens[i]
        groups[-1].append(i)
    rng.shuffle(groups)
    return groups


def _nearly_sorted(lengths: Sequence[int], rng: random.Random) -> list[int]:
    return sorted(range(len(lengths)), key=lambda i: lengths[i] * rng.uniform(0.9, 1.1))
