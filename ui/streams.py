"""Several answers read from one stream, looked at a few times a second.

Knows no components: who shows the answers redraws at its own pace, however fast tokens come.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress

from ui.memory import Answer
from ui.wire import Chunk

# Redrawing more often than this looks no smoother and costs more.
FRAME_S = 0.08


class Answers:
    """The answers of one request as they grow; `stop()` makes the server stop too."""

    def __init__(self, chunks: AsyncIterator[Chunk], count: int) -> None:
        self.answers = [Answer() for _ in range(count)]
        self.stopped = False
        self._chunks = chunks
        self._stop = asyncio.Event()

    def stop(self) -> None:
        self._stop.set()

    async def frames(self) -> AsyncGenerator[None]:
        """Yield whenever there is something new to show; raises what the stream raised."""
        reading = asyncio.create_task(self._read())
        stopping = asyncio.create_task(self._stop.wait())
        shown: list[Answer] = []
        try:
            while not reading.done():
                await asyncio.wait(
                    {reading, stopping}, timeout=FRAME_S, return_when=asyncio.FIRST_COMPLETED
                )
                if stopping.done():
                    self.stopped = True
                    return
                if self.answers != shown:
                    shown = [answer.model_copy() for answer in self.answers]
                    yield
            await reading
        finally:
            stopping.cancel()
            reading.cancel()
            # Closes the connection, by which the server learns that nobody listens any more.
            with suppress(asyncio.CancelledError):
                await asyncio.gather(reading, stopping, return_exceptions=True)

    async def _read(self) -> None:
        async for chunk in self._chunks:
            if chunk.rankloop is not None:
                for answer, candidate in zip(self.answers, chunk.rankloop.candidates, strict=False):
                    answer.candidate, answer.version = candidate, chunk.rankloop.version
            for choice in chunk.choices:
                answer = self.answers[choice.index]
                answer.text += choice.delta.content or ""
                answer.done = answer.done or choice.finish_reason is not None
