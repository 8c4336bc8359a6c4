"""What finished rows computed, kept for the next turn: a conversation's prompt repeats all turns
before it.

Keys and values are kept by who may share them, the least recently used let go first. They belong to
one engine, so to one version's weights. It knows no slots, no pass and no sampling.
"""

from __future__ import annotations

from collections import OrderedDict

from policy.cache import Kept

LEAST = 32
"""Positions below which it is as quick to compute them anew."""


Tokens = tuple[int, ...]


class Prefixes:
    """Keys and values of at most `positions` positions in all."""

    def __init__(self, positions: int) -> None:
        self.positions = positions
        self.used = 0
        self._kept: OrderedDict[tuple[str, Tokens], Kept] = OrderedDict()
        self._begun: dict[tuple[str, Tokens], list[Tokens]] = {}  # by their first LEAST tokens

    def keep(self, share: str, tokens: Tokens, kept: Kept) -> None:
        """Takes over a row's positions; what they begin with need not be kept apart."""
        for other in list(self._alike(share, tokens)):
            if tokens[: len(other)] == other:
                self._let_go(share, other)
        self._kept[share, tokens] = kept
        self._begun.setdefault((share, tokens[:LEAST]), []).append(tokens)
        self.used += len(tokens)
        while self.used > self.positions:
            self._let_go(*next(iter(self._kept)))

    def find(self, share: str, tokens: Tokens) -> Kept:
        """The longest beginning of `tokens` that was kept for `share`; empty if it is short."""
        alike = [(_common(other, tokens), other) for other in self._alike(share, tokens)]
        length, longest = max(alike, default=(0, ()), key=lambda found: found[0])
        if length < LEAST:
            return ()
        self._kept.move_to_end((share, longest))
        return tuple(states[:, :length] for states in self._kept[share, longest])

    def _alike(self, share: str, tokens: Tokens) -> list[Tokens]:
        """What was kept for `share` and begins so much alike that it is worth a look."""
        return self._begun.get((share, tokens[:LEAST]), [])

    def _let_go(self, share: str, tokens: Tokens) -> None:
        del self._kept[share, tokens]
        self.used -= len(tokens)
        alike = self._begun[share, tokens[:LEAST]]
        alike.remove(tokens)
        if not alike:
            del self._begun[share, tokens[:LEAST]]


def _common(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    """How many tokens both begin with."""
    length = min(len(a), len(b))
    if a[:length] == b[:length]:
        return length
    return next(place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
