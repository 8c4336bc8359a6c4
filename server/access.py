"""Who may speak to the server, as whom, and how much at a time.

Without a key it answers on loopback only, to names that mean loopback, so that no web page can
reach it by rebinding its own name. With a key every route but the two health checks wants it as a
bearer token.
"""

from __future__ import annotations

import ipaddress
import secrets
from uuid import uuid4

from pydantic import SecretStr
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import REQUEST_ID, ApiError, as_api_error, response_to

OPEN_ROUTES = frozenset({"/livez", "/readyz", "/health"})
MAX_BODY = 2**20
LARGE_BODIES = {"/v1/import": 2**28}
"""Of routes that let go of a body as it comes: 256 MiB. The command has no bound."""
JSON_LINES = frozenset({"application/jsonl", "application/x-ndjson", "application/octet-stream"})
"""Content types of a body that is JSON line by line; which routes take one is theirs to say."""
LOCAL_PERSON, KEY_PERSON = "local", "key"


class NeedsKey(SystemExit):
    """The address can be reached by others and no key is set. Its text is the line to type."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} can be reached by other machines, so it needs a key. Type:\n"
            f"RANKLOOP_KEY=$(openssl rand -hex 24) rankloop server --host {host}"
        )


def usable(key: SecretStr | None) -> SecretStr | None:
    """A blank key would let everybody in: it is none."""
    return key if key is not None and key.get_secret_value().strip() else None


def check_binding(host: str, key: SecretStr | None) -> None:
    """Raises NeedsKey if others could come in without one."""
    if usable(key) is None and not is_loopback(host):
        raise NeedsKey(host)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_name(header: str) -> str:
    """`Host: [::1]:8000` -> `::1`, `localhost:8000` -> `localhost`."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].lower()


class Access:
    """Lets a request through, or answers it with 401 or 403. Whom feedback counts for is
    `person`."""

    def __init__(self, app: ASGIApp, key: SecretStr | None) -> None:
        self.app = app
        self.key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self.refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            await response_to(refusal)(scope, receive, send)

    def refusal(self, scope: Scope) -> ApiError | None:
        headers = Headers(scope=scope)
        if self.key is None:
            return self._wrong_host(headers)
        if scope["path"] in OPEN_ROUTES:
            return None
        return self._wrong_key(headers, self.key.get_secret_value())

    @staticmethod
    def _wrong_host(headers: Headers) -> ApiError | None:
        if is_loopback(host_name(headers.get("host", ""))):
            return None
        message = "Without a key this server answers to localhost only. Set RANKLOOP_KEY."
        return ApiError(403, message, code="host_not_allowed")

    @staticmethod
    def _wrong_key(headers: Headers, key: str) -> ApiError | None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            message = "You didn't provide an API key. Send it as Authorization: Bearer KEY."
            return ApiError(401, message, code="missing_api_key")
        if not secrets.compare_digest(given.strip().encode(), key.encode()):
            return ApiError(401, "Incorrect API key provided.", code="invalid_api_key")
        return None


def person(user: str | None, key: SecretStr | None) -> str:
    """Whom an answer or a ranking belongs to: OpenAI's `user`, else the one who has the machine or
    the key."""
    if user is not None:
        return user
    return LOCAL_PERSON if key is None else KEY_PERSON


class RequestIds:
    """Gives every request an id, and every answer the header that says it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope[REQUEST_ID] = f"req_{uuid4().hex}"

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID] = scope[REQUEST_ID]
            await send(message)

        await self.app(scope, receive, with_id)


class Bodies:
    """Refuses a body that does not say it is JSON, and one that is too large, mostly above 1 MiB:
    by its announced length, else as soon as so much has come."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = LARGE_BODIES.get(scope["path"], MAX_BODY)
        refusal = refused_body(Headers(scope=scope), scope["path"])
        if refusal is not None:
            await response_to(as_api_error(refusal))(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise HTTPException(413, str(limit >> 20))
            return message

        await self.app(scope, counted, send)


def refused_body(headers: Headers, path: str) -> HTTPException | None:
    """What its headers alone say against a body. JSON lines are taken where much is."""
    limit = LARGE_BODIES.get(path, MAX_BODY)
    length = headers.get("content-length", "0")
    if int(length if length.isdecimal() else 0) > limit:
        return HTTPException(413, str(limit >> 20))
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    has_body = length != "0" or "transfer-encoding" in headers
    known = kind == "application/json" or kind.endswith("+json") or kind in JSON_LINES
    if has_body and not known:
        return HTTPException(415, kind)
    return None
