"""Whose key a request comes with.

What was found is kept for two seconds, so that most requests need no look at the database, and a
key that was revoked opens nothing after them.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers

from feedback.tokens import digest_of

from ..errors import ApiError
from .callers import NOBODY, OWNER, Caller
from .hosts import host_name, is_loopback

if TYPE_CHECKING:
    from ..serving import Serving

KEPT_S = 2.0
MOST_KEPT = 4096


class Keyring:
    """The key of the settings, and those that people were given."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._key = serving.key
        server = serving.settings.server
        reached_by_others = not is_loopback(server.host)
        self._is_shut = bool(self._key or reached_by_others or server.oidc.issuer)
        self._found: dict[str, tuple[float, Caller]] = {}
        self._anybody, self._looked_at = False, -KEPT_S

    @property
    def is_closed(self) -> bool:
        """Whether others could come in, so that names of this machine do not matter."""
        return self._is_shut or self._anybody

    async def caller(self, headers: Headers) -> Caller:
        """Who asks; raises ApiError for nobody that may."""
        if not await self.is_needed():
            check_host(headers)
            return OWNER
        given = bearer(headers)
        if self._key is not None and secrets.compare_digest(
            given.encode(), self._key.get_secret_value().encode()
        ):
            return OWNER
        caller = await self._look_up(given)
        if caller is None:
            raise ApiError(401, "Incorrect API key provided.", code="invalid_api_key")
        return caller

    async def stranger(self, headers: Headers) -> Caller:
        """Whoever is about to sign in; raises ApiError where other sites' pages could."""
        if not await self.is_needed():
            check_host(headers)
        return NOBODY

    def forget(self) -> None:
        """What was found is looked up anew: a session has ended, or is another's."""
        self._found.clear()

    async def is_needed(self) -> bool:
        """Whether nobody is answered without a key or a session: with a key in the settings, where
        others could come in or a provider is set, and once anybody has a key."""
        if self.is_closed:
            return True
        if self._serving.is_recording and time.monotonic() - self._looked_at > KEPT_S:
            self._anybody = await run_in_threadpool(self._serving.store.any_key)
            self._looked_at = time.monotonic()
        return self._anybody

    async def _look_up(self, given: str) -> Caller | None:
        find = {"rl_": self._by_key, "rs_": self._by_session}.get(given[:3])
        if find is None:
            return None
        digest, at = digest_of(given), time.monotonic()
        kept = self._found.get(digest)
        if kept is not None and at - kept[0] < KEPT_S:
            return kept[1]
        caller = await run_in_threadpool(find, given)
        self._keep(digest, at, caller)
        return caller

    def _by_key(self, given: str) -> Caller | None:
        info = self._serving.store.key_holder(given)
        return None if info is None else Caller(info.person, frozenset(info.scopes), info.id)

    def _by_session(self, given: str) -> Caller | None:
        key = self._key.get_secret_value() if self._key else ""
        info = self._serving.store.session_holder(given, key)
        if info is None:
            return None
        return Caller(info.person, frozenset(info.scopes), info.id, info.id, info.way)

    def _keep(self, digest: str, at: float, caller: Caller | None) -> None:
        if caller is None:
            self._found.pop(digest, None)
            return
        if len(self._found) >= MOST_KEPT:
            self._found.clear()
        self._found[digest] = (at, caller)


def check_host(headers: Headers) -> None:
    """Raises ApiError for a name that a web page may have pointed at this machine."""
    if not is_loopback(host_name(headers.get("host", ""))):
        message = "Without a key this server answers to localhost only. Set RANKLOOP_KEY."
        raise ApiError(403, message, code="host_not_allowed")


def bearer(headers: Headers) -> str:
    """The key that the request names; raises ApiError where it names none."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given:
        message = "You didn't provide an API key. Send it as Authorization: Bearer KEY."
        raise ApiError(401, message, code="missing_api_key")
    return given.strip()
