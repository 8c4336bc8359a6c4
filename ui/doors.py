"""Requests to the page that nothing of ours makes: uploads and proxying, which Gradio brings along.

Plain ASGI, so that event streams pass through untouched.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

UNUSED = re.compile(
    r"/+(gradio_api/+)?(upload|upload_progress|proxy=.*|stream/.*)/*", re.IGNORECASE
)
"""The page takes files in its own way, shows none of other sites', and streams no media."""


class Doors:
    """Answers those with 404."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and UNUSED.fullmatch(scope["path"]):
            await PlainTextResponse("Not found", 404)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def is_own(headers: Headers) -> bool:
    """Whether the request names this machine, and comes from no page of another origin: a site may
    point its own name here, or post to here from where it is."""
    host, origin = headers.get("host", ""), headers.get("origin")
    return is_loopback(host) and (origin is None or urlsplit(origin).netloc == host)


def is_loopback(host: str) -> bool:
    """`localhost:7860`, `127.0.0.1`, `[::1]:7860`: only this machine reaches those."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
