"""Prompts that go through the model a part at a time, and what is kept of them for the next turn.

1. A `Filling` is a prompt on its way: one part of it at every step, so that a long one does not
   hold up everybody else's next token.
2. It may begin with what was kept of an earlier prompt that begins alike: a conversation's next
   turn repeats all turns before it.
3. `Prefixes` keeps the keys and values of finished rows, by who may share them, the least recently
   used let go first. It belongs to one engine, so to one version's weights.

It knows no slots and no sampling. Axes: T positions, V vocabulary.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from policy.cache import Kept
from policy.requests import Request, Scores, Top

LEAST = 32
"""Positions below which it is as quick to compute them anew."""


class Prefixes:
    """Keys and values of at most `positions` positions in all."""

    def __init__(self, positions: int) -> None:
        self.positions = positions
        self._kept: OrderedDict[tuple[str, tuple[int, ...]], Kept] = OrderedDict()

    @property
    def used(self) -> int:
        """Positions kept now."""
        return sum(len(tokens) for _, tokens in self._kept)

    def keep(self, share: str, tokens: tuple[int, ...], kept: Kept) -> None:
        """Takes over a row's positions; what they begin with need not be kept apart."""
        for other in self._alike(share, tokens):
            if tokens[: len(other[1])] == other[1]:
                del self._kept[other]
        self._kept[share, tokens] = kept
        while self.used > self.positions:
            self._kept.popitem(last=False)

    def find(self, share: str, tokens: tuple[int, ...]) -> Kept:
        """The longest beginning of `tokens` that was kept for `share`; empty if it is short."""
        alike = [(_common(key[1], tokens), key) for key in self._alike(share, tokens)]
        length, key = max(alike, default=(0, None), key=lambda found: found[0])
        if key is None or length < LEAST:
            return ()
        self._kept.move_to_end(key)
        return tuple(states[:, :length] for states in self._kept[key])

    def _alike(self, share: str, tokens: tuple[int, ...]) -> list[tuple[str, tuple[int, ...]]]:
        """What was kept for `share` and begins so much alike that it is worth a look."""
        begin = tokens[:LEAST]
        return [key for key in self._kept if key[0] == share and key[1][:LEAST] == begin]


@dataclass
class Filling:
    """A request whose prompt, less its last token, is on its way through the model. `indices` are
    its answers that are still wanted."""

    request: Request
    indices: list[int]
    past: DynamicCache
    done: int
    logps: list[float]
    tops: list[Top]

    @classmethod
    def of(cls, request: Request, indices: list[int], begun: Kept) -> Filling:
        """Begins after the positions that are there already."""
        past = DynamicCache()
        for layer, states in enumerate(begun):
            keys, values = states[None].chunk(2, 1)
            past.update(keys, values, layer)
        done = begun[0].shape[1] if begun else 0
        return cls(request, indices, past, done, [], [])

    @property
    def finished(self) -> bool:
        return self.done >= len(self.request.known) - 1

    @property
    def kept(self) -> Kept:
        """The prompt's keys and values so far."""
        layers: list[Any] = self.past.layers
        return tuple(torch.cat([layer.keys[0], layer.values[0]]) for layer in layers)

    @property
    def scores(self) -> Scores | None:
        """The prompt's log-probabilities, once finished, if they were asked for."""
        if self.request.prompt_logprobs is None:
            return None
        return Scores(tuple(self.logps), tuple(self.tops))

    def advance(self, net: PreTrainedModel, tokens: int) -> int:
        """Runs the next tokens, at most so many; how many they were."""
        prompt = self.request.known
        part = prompt[:-1][self.done : self.done + tokens]
        run = net.base_model if self.request.prompt_logprobs is None else net
        ids_1T = torch.tensor([part], device=net.device)
        result = run(input_ids=ids_1T, cache=self.past, use_cache=True)
        if self.request.prompt_logprobs is not None:
            self._score(result.logits[0], prompt[self.done + 1 : self.done + len(part) + 1])
        self.done += len(part)
        return len(part)

    def _score(self, logits_TV: Tensor, ids: tuple[int, ...]) -> None:
        logps_TV = logits_TV.float().log_softmax(-1)
        ids_T = torch.tensor(ids, device=logps_TV.device)
        self.logps += logps_TV.gather(-1, ids_T[:, None])[:, 0].tolist()
        best = logps_TV.topk(min(self.request.prompt_logprobs or 0, logps_TV.shape[-1]))
        columns = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        self.tops += [tuple(zip(ids, logps, strict=True)) for ids, logps in columns]


def _common(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    """How many tokens both begin with."""
    length = min(len(a), len(b))
    if a[:length] == b[:length]:
        return length
    return next(place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
