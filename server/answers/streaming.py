"""The answers as server-sent events, as they are written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..errors import KNOWN, as_api_error
from ..leaving import ClientGone, unless_gone
from .generation import Generation
from .shapes import VERSION_HEADER, Chunks, rankloop

DONE = b"data: [DONE]\n\n"


class EventStream(Response):
    """The answers as server-sent events. A fault before the first frame is an ordinary error
    answer; after it, an error frame and no `[DONE]`."""

    media_type = "text/event-stream"

    def __init__(self, generation: Generation, chunks: Callable[[], Chunks]) -> None:
        super().__init__(headers={"cache-control": "no-cache"})
        self.generation = generation
        self.chunks = chunks
        self.started = False
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await unless_gone(receive, self._send_all(send))
        except ClientGone:
            return

    async def _send_all(self, send: Send) -> None:
        try:
            async with self.generation:
                await self._start(send)
                async for frames in self._frames():
                    await self._body(send, frames)
        except ClientGone:
            raise
        except Exception as error:
            if not self.started:
                raise
            await self._body(send, frame(as_api_error(error).body))
            if not isinstance(error, KNOWN):
                raise
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _start(self, send: Send) -> None:
        self.headers[VERSION_HEADER] = self.generation.version
        self.started = True
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)

    @staticmethod
    async def _body(send: Send, frames: bytes) -> None:
        await send({"type": "http.response.body", "body": frames, "more_body": True})

    async def _frames(self) -> AsyncIterator[bytes]:
        """Frames as they come; the last one only after the answers are stored."""
        chunks = self.chunks()
        opening, first = chunks.openings(), True
        async for pieces in self.generation.pieces():
            ready = opening + [chunk for piece in pieces for chunk in chunks.of(piece)]
            opening = []
            if self.generation.finished:
                await self.generation.store()
                if chunks.wants_usage:
                    ready.append(chunks.usage())
                ready[-1]["rankloop"] = rankloop(self.generation)
            if ready and first:
                ready[0]["rankloop"], first = rankloop(self.generation), False
            if ready:
                yield b"".join(map(frame, ready))
        yield DONE


def frame(content: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(content)
