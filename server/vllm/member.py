"""One engine of the fleet: what it is known to hold, and how it is tried before it is asked."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager

from policy.params import SamplingParams
from policy.vllm.client import Card, Engine
from policy.vllm.wire import NO_NUMBER, Asked

from .placed import Placed

TRY = (1, 2, 1, 2)
"""A prompt of tokens that every vocabulary has."""
TRY_TOKENS = 8
ALIKE = 1e-6
FLAGS = "start it with --logprobs-mode processed_logprobs"


class Unsuited(Exception):
    """The engine answers, and must not be asked; the text says what is wrong with it."""


class Unsound(Exception):
    """A version's log-probabilities are no numbers."""


class Member:
    """An engine, and its card while it may be asked; without one it is down, and `why` says why."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.card: Card | None = None
        self.why = "has not answered yet"
        self.takes_adapters = True
        self.jobs = self.served = 0
        self.poked = asyncio.Event()
        self.looking = asyncio.Lock()

    def name_of(self, placed: Placed) -> str | None:
        """What to ask it for; None if it cannot be asked for that version."""
        if self.card is None:
            return None
        if placed.blank and not self.takes_adapters and placed.fits(self.card):
            return self.card.name
        return placed.on(self.card)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Counts one more job while it lasts."""
        self.jobs += 1
        self.served += 1
        try:
            yield
        finally:
            self.jobs -= 1

    async def check_mode(self, card: Card) -> None:
        """Raises Unsuited where its log-probabilities are not those of what is drawn: at a high
        temperature both sorts differ."""
        params = SamplingParams(temperature=2.0, max_tokens=TRY_TOKENS, seed=1)
        tokens, logps = await self._drawn(card.name, params)
        raw = (await self.engine.score(card.name, (*TRY, *tokens), 0)).logps[-len(tokens) :]
        if all(abs(one - other) < ALIKE for one, other in zip(logps, raw, strict=True)):
            raise Unsuited(f"{self.engine.url} gives the raw model's log-probabilities: {FLAGS}")

    async def try_out(self, placed: Placed, name: str) -> None:
        """A few tokens drawn, and read again, before anybody waits for them; raises Unsound. An
        engine that dies of it dies now, and not of somebody's request."""
        params = SamplingParams(temperature=0.0, max_tokens=TRY_TOKENS)
        tokens, logps = await self._drawn(name, params)
        logps += (await self.engine.score(name, (*TRY, *tokens), 0)).logps
        if not all(math.isfinite(logp) and logp > NO_NUMBER for logp in logps):
            raise Unsound(f"{placed.version}'s log-probabilities are not finite")

    async def _drawn(self, name: str, params: SamplingParams) -> tuple[list[int], list[float]]:
        asked = Asked(name, TRY, params, n=1, stop_ids=frozenset(), share="try")
        drawn = [token async for tokens in self.engine.draw(asked) for token in tokens]
        return [token.id for token in drawn], [token.logp for token in drawn]
