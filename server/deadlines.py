"""How long a slow client is waited for: to send its headers, to send its body, to read its answer.

uvicorn has a deadline for none of the three; without one, a few slow connections hold what many
fast ones need. An idle connection costs little, and is waited for longest.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .doors.access import LARGE_BODIES
from .leaving import ClientGone

HEADERS_S = 10.0
HEADER_BYTES = 64 * 1024
BODY_S = 30.0
READ_S = 30.0
KEEP_ALIVE_S = 75
"""For a connection's next request: longer than clients and proxies keep an idle one (5 to 60 s), or
their request may meet the very moment of our closing. uvicorn's 5 s are httpx's own."""


class Protocol(HttpToolsProtocol):
    """HTTP/1.1, closing a connection whose request's headers are not whole in time, or too long."""

    _late: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _in_body = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # A refused body is still read to its end: it is no header of the next request.
        between = not self._answering and not self._in_body
        self._header_bytes = self._header_bytes + len(data) if between else 0
        if self._header_bytes > HEADER_BYTES and not self.transport.is_closing():
            self.send_400_response(f"The headers are longer than {HEADER_BYTES} bytes.")
        self._watch()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_body = True

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_body = False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._forget()

    def _watch(self) -> None:
        """Waits for headers unless a request is being answered."""
        if self._answering:
            self._forget()
        elif self._late is None:
            self._late = self.loop.call_later(HEADERS_S, self._give_up)

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _forget(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        if not self._answering:
            self.transport.close()


class Deadlines:
    """Gives up on a body that does not come to its end, and on a client that reads no more. A large
    body may take as long as it likes, if each piece comes in time."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        now = asyncio.get_running_loop().time
        until, whole = now() + BODY_S, False
        large = scope["path"] in LARGE_BODIES

        async def in_time() -> Message:
            nonlocal until, whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "The body did not come in time.") from None
            whole = not message.get("more_body", False)
            until = now() + BODY_S if large else until
            return message

        async def read(message: Message) -> None:
            try:
                async with asyncio.timeout(READ_S):
                    await send(message)
            except TimeoutError:
                raise ClientGone from None

        await self.app(scope, in_time, read)
