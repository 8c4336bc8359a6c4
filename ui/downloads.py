"""Files that a person takes away: streamed from the API through this process to their browser.

A page asks for one by a function of its component, as for everything else, so whoever may use the
page may, and nobody else. The answer is a ticket: a name that nobody can guess, good for one
download within a minute. Only that stands in the address that the browser then opens, `/take/NAME`,
which needs no other sign of who asks. A file is never held whole, here or in the page.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from starlette.responses import PlainTextResponse, Response, StreamingResponse

from ui.client import ApiError

GOOD_FOR_S = 60.0
"""Seconds in which a download has to begin; and that a finished one is remembered."""

JSON_LINES = "application/x-ndjson"


@dataclass
class Download:
    """How far one is: `state` is waiting, going, done or failed, and `error` says why."""

    name: str
    source: Callable[[], AsyncIterator[bytes]]
    touched_at: float
    state: str = "waiting"
    size: int = 0
    lines: int = 0
    error: str | None = None

    def count(self, piece: bytes) -> None:
        self.size += len(piece)
        self.lines += piece.count(b"\n")
        self.touched_at = time.monotonic()


class Downloads:
    """Those that were asked for, by ticket."""

    def __init__(self) -> None:
        self._known: dict[str, Download] = {}

    def issue(self, name: str, source: Callable[[], AsyncIterator[bytes]]) -> str:
        """A ticket for a file of that name."""
        self._forget()
        ticket = secrets.token_urlsafe(24)
        self._known[ticket] = Download(name, source, time.monotonic())
        return ticket

    def find(self, ticket: str) -> Download | None:
        return self._known.get(ticket)

    def _forget(self) -> None:
        old = time.monotonic() - GOOD_FOR_S
        for ticket, known in list(self._known.items()):
            if known.touched_at < old:
                del self._known[ticket]

    async def take(self, ticket: str) -> Response:
        """The file, once; what goes wrong before its first line is said in its place."""
        self._forget()
        download = self.find(ticket)
        if download is None or download.state != "waiting":
            return PlainTextResponse("There is no such download: ask for it anew.", 404)
        download.state = "going"
        pieces = counted(download)
        try:
            first = await anext(pieces, b"")
        except ApiError as error:
            return PlainTextResponse(str(error), 502)
        headers = {
            "content-disposition": f'attachment; filename="{download.name}"',
            "cache-control": "no-store",
        }
        return StreamingResponse(after(first, pieces), media_type=JSON_LINES, headers=headers)


async def counted(download: Download) -> AsyncIterator[bytes]:
    """The source's pieces; what became of the download is written down. One that breaks off raises,
    so that the browser sees that it is not whole.
    """
    try:
        async for piece in download.source():
            download.count(piece)
            yield piece
        download.state = "done"
    except ApiError as error:
        download.error = str(error)
        raise
    finally:
        if download.state != "done":
            download.state = "failed"


async def after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece
