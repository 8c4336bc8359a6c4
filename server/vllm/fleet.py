"""The engines together: which of them are well, and which versions are on them.

Each engine is looked at once a second. One that does not answer is left out, and what it was
writing ends; one that comes back is tried, and given its adapters again, before it is asked for
anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

import aiohttp

from policy.requests import Scores
from policy.vllm.client import Card, Engine, EngineDown, NoSuchModel, Refused

from .member import Member, Unsound, Unsuited
from .placed import Placed

log = logging.getLogger(__name__)

LOOK_S = 1.0
PATIENCE_S = 20.0
"""So long a request waits for an engine to come back that could answer it."""
TRIES = 4
TROUBLES = (EngineDown, NoSuchModel, Refused, Unsuited)


class NoEngine(Exception):
    """No engine can be asked for a version; the text says why, engine by engine."""


class Fleet:
    """Engines by their addresses. Lives on the event loop."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self._members: dict[str, Member] = {}
        self._followers: dict[str, asyncio.Task[None]] = {}
        self._wanted: dict[str, Placed] = {}  # adapters by name
        self._changed = asyncio.Event()

    def add(self, url: str) -> None:
        """One engine more, which need not be there yet."""
        self._members[url] = Member(Engine(url, self._http))
        follower = asyncio.get_running_loop().create_task(self._follow(self._members[url]))
        self._followers[url] = follower

    def remove(self, url: str) -> None:
        self._followers.pop(url).cancel()
        self._members.pop(url).engine.sever()

    async def close(self) -> None:
        for url in list(self._members):
            self.remove(url)
        await self._http.close()

    # Which engine answers.

    def having(self, placed: Placed) -> list[Member]:
        """Engines that can be asked for the version now, the least busy first."""
        able = [member for member in self._members.values() if member.name_of(placed) is not None]
        return sorted(able, key=lambda member: (member.jobs, member.served))

    async def pick(self, placed: Placed, patience_s: float = PATIENCE_S) -> Member:
        """The least busy engine that has the version; raises NoEngine if none comes in time."""
        deadline = asyncio.get_running_loop().time() + patience_s
        while not (able := self.having(placed)):
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                raise NoEngine(self.troubles(placed))
            await self._news(left)
        return able[0]

    async def score(self, placed: Placed, tokens: Sequence[int], top: int) -> Scores:
        """Raw log-probabilities, from whichever engine can say. Raises NoEngine, Refused."""
        for _ in range(TRIES):
            member = await self.pick(placed)
            name = member.name_of(placed)
            assert name is not None, "it was picked because it has one"
            try:
                with member.busy():
                    return await member.engine.score(name, tokens, top)
            except (EngineDown, NoSuchModel) as error:
                self.suspect(member, error)
        raise NoEngine(f"{TRIES} engines broke off one after another")

    def suspect(self, member: Member, error: Exception) -> None:
        """It has failed somebody: it is left out until it was looked at again."""
        self._down(member, str(error))
        member.poked.set()

    def troubles(self, placed: Placed | None = None) -> str:
        """Why there is nobody to ask, engine by engine."""
        said = [f"{member.engine.url} {_lack(member, placed)}" for member in self._members.values()]
        return "; ".join(said) or "there are no engines: set vllm.urls"

    @property
    def well(self) -> bool:
        """Whether any engine can be asked."""
        return any(member.card for member in self._members.values())

    # Which versions are there.

    async def give(self, placed: Placed, patience_s: float) -> Card:
        """Brings a version to every engine that is well, and to others once they are; the card of
        one that has it. Raises NoEngine, and Unsound where an engine's answers are no numbers."""
        if placed.adapter is not None:
            self._wanted[placed.adapter] = placed
        members = list(self._members.values())
        try:
            looks = (self._look(member) for member in members if member.card is not None)
            await asyncio.gather(*looks)
            member = await self.pick(placed, patience_s)
            name, card = member.name_of(placed), member.card
            assert name is not None, "it was picked because it has one"
            assert card is not None, "only a card names it"
            if name == card.name:
                await member.try_out(placed, name)
            return card
        except BaseException:
            self._wanted.pop(placed.adapter or "", None)
            raise

    async def take(self, placed: Placed) -> None:
        """Unloads an adapter that nobody asks for any more, wherever it is."""
        if placed.adapter is None or self._wanted.pop(placed.adapter, None) is None:
            return
        for member in self.having(placed):
            async with member.looking:
                with suppress(EngineDown, NoSuchModel, Refused):
                    await member.engine.unload(placed.adapter)
                if member.card is not None:
                    member.card.adapters.pop(placed.adapter, None)

    # The tasks that look.

    async def _follow(self, member: Member) -> None:
        while True:
            member.poked.clear()
            try:
                await self._look(member)
            except Unsound as error:
                log.error("%s", error)
            with suppress(TimeoutError):
                await asyncio.wait_for(member.poked.wait(), LOOK_S)

    async def _look(self, member: Member) -> None:
        """Finds out how the engine is, and gives it what it lacks. Raises Unsound of a version."""
        async with member.looking:
            try:
                card = await self._looked_at(member)
            except TROUBLES as error:
                self._down(member, str(error))
                member.engine.sever()
                return
            if member.card is None:
                log.info("%s answers", member.engine.url)
            member.card = card
        self._tell()

    async def _looked_at(self, member: Member) -> Card:
        card = await member.engine.card()
        had = self._wanted.keys() & (member.card.adapters.keys() if member.card else ())
        if not had <= card.adapters.keys():
            self._down(member, "it was started anew")
        if member.card is None:
            await member.check_mode(card)
        await self._complete(member, card)
        return card

    async def _complete(self, member: Member, card: Card) -> None:
        """Loads the adapters that are wanted and not there. One that the engine refuses is not
        there, and it serves the others; one that takes none gets none, so that its own model stays
        alone there."""
        for name, placed in list(self._wanted.items()):
            if not member.takes_adapters:
                return
            if name in card.adapters or not placed.fits(card):
                continue
            try:
                await member.engine.load(name, placed.folder)
                await member.try_out(placed, name)
            except (Refused, NoSuchModel) as error:
                # Another server's look may have come first.
                if name not in (await member.engine.card()).adapters:
                    _not_loaded(member, card, placed, error)
                    continue
            except Unsound:
                await member.engine.unload(name)
                raise
            card.adapters[name] = str(placed.folder)

    def _down(self, member: Member, why: str) -> None:
        if member.card is not None or member.why != why:
            log.warning("an engine is left out: %s: %s", member.engine.url, why)
        member.card, member.why, member.takes_adapters = None, why, True
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _news(self, within_s: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), within_s)


def _not_loaded(member: Member, card: Card, placed: Placed, error: Exception) -> None:
    member.why = str(error)
    if placed.blank and not card.adapters:
        member.takes_adapters = False
        log.warning("an engine gets no adapters, and answers by its own model alone: %s", error)
    else:
        log.error("%s is not on an engine: %s", placed.version, error)


def _lack(member: Member, placed: Placed | None) -> str:
    if member.card is None:
        return f"is left out ({member.why})"
    if placed is not None and not placed.fits(member.card):
        return f"serves {member.card.root}, not {placed.base}"
    return f"lacks {placed.adapter} ({member.why})" if placed else "answers"
