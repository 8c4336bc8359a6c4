"""Many prompts answered by several engines at once, for whoever waits for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from policy.requests import Completion

from .client import Engine, EngineDown, NoSuchModel
from .wire import Asked, Drawn

AT_ONCE = 64
"""Requests with an engine; it has rows for about as many answers, and others wait there."""
TOGETHER = 64


@dataclass
class Answer:
    """One answer as far as it has come."""

    tokens: list[Drawn] = field(default_factory=list)

    def whole(self, prompt: tuple[int, ...]) -> Completion:
        """Its raw log-probabilities are those that it was drawn by: right at temperature 1."""
        finish = self.tokens[-1].finish if self.tokens else None
        assert finish is not None, "a stream that ends has ended all its answers"
        logps = tuple(token.logp for token in self.tokens)
        return Completion(prompt, tuple(t.id for t in self.tokens), logps, logps, finish)


async def answers(engines: Sequence[Engine], asked: Sequence[Asked]) -> list[list[Completion]]:
    """Each request's answers, in order, shared out between the engines. What an engine does not
    finish is asked of the others, from the beginning; raises EngineDown if none is left."""
    queue = asyncio.Queue[int]()
    for place in range(len(asked)):
        queue.put_nowait(place)
    found: dict[int, list[Completion]] = {}
    able, troubles = list(engines), set[str]()

    async def serve(engine: Engine) -> None:
        while engine in able and not queue.empty():
            place = queue.get_nowait()
            try:
                found[place] = await _answered(engine, asked[place])
            except (EngineDown, NoSuchModel) as error:
                queue.put_nowait(place)
                troubles.add(str(error))
                if engine in able:
                    able.remove(engine)

    while able and len(found) < len(asked):
        await asyncio.gather(*(serve(engine) for engine in able for _ in range(AT_ONCE)))
    if len(found) < len(asked):
        raise EngineDown("; ".join(sorted(troubles)) or "there are no engines")
    return [found[place] for place in range(len(asked))]


async def _answered(engine: Engine, asked: Asked) -> list[Completion]:
    made = [Answer() for _ in range(asked.n)]
    async for tokens in engine.draw(asked):
        for token in tokens:
            made[token.index].tokens.append(token)
    return [answer.whole(asked.prompt) for answer in made]
