"""Requests per minute, of each person and from each address, over all servers of one database.

A server takes slices of a minute's requests (`slices.py`) from the database, for all who wait at
that moment in one transaction; what a slice holds is spent without looking there. One that got
nothing is refused here until there may be more again.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Receive, Scope, Send

from feedback.quotas import Share, Want

from ..errors import KNOWN, ApiError, as_api_error, response_to
from . import callers
from .access import LARGE_BODIES, ROUTE, person
from .audit import read_json, storable
from .scopes import OPEN_ROUTES, SIGN_IN_ROUTES
from .slices import Slice

if TYPE_CHECKING:
    from ..serving import Serving

MOST_KEPT = 4096


@dataclass
class Batch:
    """Who waits for the next transaction: how many requests of each name, and of how many."""

    waiting: dict[str, int] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, limit: int) -> None:
        self.waiting[name] = self.waiting.get(name, 0) + 1
        self.limits[name] = limit


class Limiter:
    """Counts requests, of anything that has a name, against limits per minute."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self.settings = serving.settings.server.limits
        self._slices: dict[str, Slice] = {}
        self._one_at_a_time = asyncio.Lock()
        self._next: tuple[Batch, asyncio.Task[None]] | None = None

    async def count(self, name: str, limit: int) -> None:
        """One more request; raises ApiError where that is one too many. A limit of 0 is none."""
        while limit:
            at, held = time.monotonic(), self._slices.get(name, Slice())
            if held.spend(at):
                return
            if held.closed_s(at):
                raise too_many(name, limit, held.closed_s(at))
            await self._ask(name, limit)

    async def _ask(self, name: str, limit: int) -> None:
        """Takes part in the next transaction."""
        if self._next is None:
            batch = Batch()
            self._next = batch, asyncio.create_task(self._take(batch))
        batch, taken = self._next
        batch.add(name, limit)
        await asyncio.shield(taken)  # others wait for it too

    async def _take(self, batch: Batch) -> None:
        async with self._one_at_a_time:
            self._next = None
            self._forget_old()
            at = time.monotonic()
            sizes = {
                name: self._slices.get(name, Slice()).next_size(limit, at)
                for name, limit in batch.limits.items()
            }
            wanted = {
                name: Want(max(size, batch.waiting[name]), batch.limits[name])
                for name, size in sizes.items()
            }
            shares = await run_in_threadpool(self._take_requests, wanted)
            for name, share in shares.items():
                held = self._slices.setdefault(name, Slice())
                if share.count:
                    held.take(share.count, sizes[name], at)
                else:
                    held.close(time.monotonic() + share.wait_s)

    def _take_requests(self, wanted: dict[str, Want]) -> dict[str, Share]:
        return self.serving.store.take_requests(wanted)

    def _forget_old(self) -> None:
        if len(self._slices) < MOST_KEPT:
            return
        at = time.monotonic()
        self._slices = {name: kept for name, kept in self._slices.items() if not kept.is_over(at)}


def too_many(name: str, limit: int, wait_s: float) -> ApiError:
    """The refusal. Names are `address 10.0.0.1` or `person ada`."""
    kind, _, whose = name.partition(" ")
    wait = max(1, math.ceil(wait_s))
    message = (
        f"Rate limit reached for the {kind} {whose[:100]}: {limit} requests per minute."
        f" Please try again in {wait} s."
    )
    return ApiError(429, message, code="rate_limit_exceeded", retry_after_s=wait)


class PerAddress:
    """Refuses an address that asks too often, before anything is known of who it is."""

    def __init__(self, app: ASGIApp, limiter: Limiter) -> None:
        self.app = app
        self.limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self.limiter.settings.per_address
        if limit and is_counted(scope) and scope.get("client"):
            name = f"address {network(scope['client'][0])}"
            try:
                await self.limiter.count(name, limit)
            except (ApiError, OperationalError) as refusal:
                await response_to(as_api_error(refusal))(scope, receive, send)
                return
        await self.app(scope, receive, send)


class PerPerson:
    """Refuses a person who asks too often. With a key of their own that is known from the headers;
    whom the owner speaks for may stand in the body, so this is inside of what bounds bodies."""

    def __init__(self, app: ASGIApp, limiter: Limiter) -> None:
        self.app = app
        self.limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self.limiter.settings.per_person
        if limit and is_counted(scope) and scope.get(ROUTE) not in SIGN_IN_ROUTES:
            try:
                whose, receive = await self._whose(scope, receive)
                await self.limiter.count(f"person {whose}", limit)
            except KNOWN as refusal:
                await response_to(as_api_error(refusal))(scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _whose(self, scope: Scope, receive: Receive) -> tuple[str, Receive]:
        """The person, and the body to be read again where it was read."""
        own = callers.current().person
        if own is not None:
            return own, receive
        said = QueryParams(scope["query_string"]).get("user")
        if not said and scope["path"] not in LARGE_BODIES:
            fields, receive = await read_json(scope, receive)
            said = fields.get("user")
        named = storable(said) if isinstance(said, str) and said else None
        return person(named, self.limiter.serving.key), receive


def is_counted(scope: Scope) -> bool:
    """Health checks are free: who looks after the server must see it."""
    return scope["type"] == "http" and scope["path"] not in OPEN_ROUTES


def network(host: str) -> str:
    """Whom an address stands for: of IPv6 the network of 64 bits, which is one household's or one
    machine's to choose from."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
