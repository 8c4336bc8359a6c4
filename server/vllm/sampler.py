"""The sampler on vLLM: the same orders as the process beside it takes, from engines over HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from policy.place import Place
from policy.source import load_chat
from policy.vllm.blank import NoLayer
from policy.vllm.blank import write as write_blank
from policy.vllm.client import Card, session
from policy.vllm.settings import VllmSettings

from ..decode.jobs import Fault, Job, Mailbox
from ..decode.orders import Broken, Load, Room
from .answer import Answering
from .engines import Engines, NotStarted
from .fleet import Fleet, NoEngine
from .installing import LASTING, install
from .member import Unsound
from .placed import Placed, adapter_name

log = logging.getLogger(__name__)

GIVE_S = 15.0
"""So long a version waits for an engine that could have it, and"""
START_S = 1800.0
"""so long for one that is started for it: large weights take their time."""
OWN = "it has weights of its own: set vllm.command, which starts an engine for such a version"
UNBOUNDED = 2**31
"""vLLM makes room for whatever it has taken on."""

Result = TypeVar("Result")


class VllmSampler:
    """Has jobs answered by engines that others run, or that `vllm.command` starts for a version.
    All on the event loop, except what says otherwise."""

    crashed, stalled_s, cache_used = False, 0.0, 0.0

    def __init__(self, settings: VllmSettings, data: Path) -> None:
        self._settings = settings
        self._blanks = data.absolute() / "blank"
        self._placed: dict[str, Placed] = {}
        self._jobs: dict[str, tuple[Answering, Mailbox, asyncio.Task[None]]] = {}
        self._droppings: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._fleet = Fleet(session())
        for url in self._settings.urls:
            self._fleet.add(url)
        command, most = self._settings.command, self._settings.engines
        self._engines = Engines(command, most, self._fleet) if command else None

    async def stop(self, within_s: float) -> None:
        tasks = [task for _, _, task in self._jobs.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)
        await self._fleet.close()
        if self._engines is not None:
            await self._engines.close()

    # Orders from other threads.

    def install(self, place: Place, model: str) -> str:
        try:
            return install(place, model)
        except LASTING as error:
            raise Broken(str(error)) from None

    def load(self, order: Load) -> Room:
        own = order.base is None or not self._settings.urls
        return self._awaited(self._load(self._place(order, own=own), own=own))

    def _place(self, order: Load, *, own: bool) -> Placed:
        """What the version is to engines; writes the adapter that stands for the model itself."""
        base = order.base or order.folder
        chat, name = load_chat(base), adapter_name(order.version, order.digest)
        if order.base is not None and order.folder != order.base:
            return Placed(order.version, order.folder, base, name, chat)
        if not own:
            blank = self._blanks / name
            try:
                write_blank(base, blank)
                return Placed(order.version, blank, base, name, chat, blank=True)
            except NoLayer as error:
                log.warning("%s is asked for without an adapter: %s", order.version, error)
        return Placed(order.version, order.folder, base, None, chat)

    async def _load(self, placed: Placed, *, own: bool) -> Room:
        try:
            card = await (self._give_own(placed) if own else self._fleet.give(placed, GIVE_S))
        except (NoEngine, NotStarted) as error:
            raise RuntimeError(f"no vLLM engine has it: {error}") from None
        except Unsound as error:
            raise Broken(str(error)) from None
        self._placed[placed.version] = placed
        config = json.loads((placed.base / "config.json").read_text())
        # One position less: a whole answer is read once more with one token behind it.
        return Room(card.context - 1, UNBOUNDED, int(config["vocab_size"]))

    async def _give_own(self, placed: Placed) -> Card:
        """On an engine that is started for it, unless one of `vllm.urls` happens to serve it."""
        if self._fleet.having(placed):
            return await self._fleet.give(placed, GIVE_S)
        if self._engines is None:
            raise NotStarted(OWN)
        started = self._engines.need(placed.version, placed.base)
        giving = asyncio.create_task(self._fleet.give(placed, START_S))
        ending = asyncio.create_task(started.ended.wait())
        try:
            await asyncio.wait((giving, ending), return_when=asyncio.FIRST_COMPLETED)
            if not giving.done():
                raise NotStarted("the one that was started for it has ended: see the log")
            return giving.result()
        except BaseException:
            await self._engines.release(placed.version)
            raise
        finally:
            giving.cancel()
            ending.cancel()

    def drop(self, version: str) -> None:
        self._loop.call_soon_threadsafe(self._drop, version)

    def _drop(self, version: str) -> None:
        placed = self._placed.pop(version, None)
        if placed is not None:
            dropping = self._loop.create_task(self._taken(placed))
            self._droppings.add(dropping)
            dropping.add_done_callback(self._droppings.discard)

    async def _taken(self, placed: Placed) -> None:
        await self._fleet.take(placed)
        if self._engines is not None:
            await self._engines.release(placed.version)

    def _awaited(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    # Jobs.

    def submit(self, job: Job, mailbox: Mailbox) -> None:
        answering = Answering(job, self._placed[job.version], self._fleet, mailbox)
        task = self._loop.create_task(answering.run(), name=job.id)
        self._jobs[job.id] = (answering, mailbox, task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        _, mailbox, _ = self._jobs.pop(task.get_name())
        if not task.cancelled() and task.exception() is not None:
            log.error("%s has failed", task.get_name(), exc_info=task.exception())
            mailbox.put(Fault("The server failed to read the engine's answer."))

    def cancel(self, job_id: str) -> None:
        if job_id in self._jobs:
            self._jobs[job_id][2].cancel()

    def fail_all(self, reason: str) -> None:
        self._loop.call_soon_threadsafe(self._fail_all, reason)

    def _fail_all(self, reason: str) -> None:
        for _, mailbox, task in self._jobs.values():
            mailbox.put(Fault(reason, passing=True))
            task.cancel()

    # What anybody may ask.

    @property
    def places(self) -> int | None:
        """Engines that may be started, and v0's place on those that others run."""
        settings = self._settings
        return settings.engines + bool(settings.urls) if settings.command else None

    @property
    def jobs(self) -> int:
        return len(self._jobs)

    @property
    def jobs_running(self) -> int:
        return sum(answering.begun for answering, _, _ in list(self._jobs.values()))

    @property
    def jobs_waiting(self) -> int:
        return self.jobs - self.jobs_running

    @property
    def rows(self) -> int:
        return sum(answering.rows for answering, _, _ in list(self._jobs.values()))

    @property
    def trouble(self) -> str | None:
        return None if self._fleet.well else f"no vLLM engine answers: {self._fleet.troubles()}"

    def resumed(self) -> None:
        """Nothing of its own could hang."""

    def give_up(self) -> None:
        """Nothing of its own could hang."""
