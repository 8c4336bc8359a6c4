"""The serving process's parts together: record, versions, worker, residence. Built while the socket
already listens.

What is large is imported by the thread that builds, not by this file: until it is done requests are
told to come back.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool

from feedback.errors import StoreError
from feedback.records import GenerationRecord
from feedback.store import Store
from rankloop_faults import point

from .decode.orders import Broken
from .decode.sampler import Sampler
from .doors import access
from .errors import ApiError, unready
from .metrics import Metrics
from .settings import Settings
from .stops import Stops

if TYPE_CHECKING:
    from .answers.ask import Prompt
    from .decode.residence import Residence
    from .decode.resident import Resident

log = logging.getLogger(__name__)

MODEL = "rankloop"
VERSION_NAME = re.compile(r"rankloop@(v\d{1,9})")
STALLED_S = 30.0
"""Without a decode step: from then on not ready; after twice as long given up."""
CLOSE_S = 2.0


class Serving:
    """What the routes share. `failed` is called, on the event loop, when the process had better
    end."""

    def __init__(self, settings: Settings, worker: Sampler) -> None:
        self.settings = settings
        self.key = access.usable(settings.key)
        self.failed: Callable[[str], None] | None = None
        self.stalled_after_s = STALLED_S
        self.draining = False
        self._by_person: Counter[str] = Counter()
        self.problem: str | None = None
        self.misconfigured = False
        self.ended = True
        self.worker = worker
        self.metrics = Metrics(self)
        self.stops = Stops(self)
        self._store: Store | None = None
        self._residence: Residence | None = None
        self._boot = threading.Thread(target=self._build, name="boot", daemon=True)
        self._watch: asyncio.Task[None] | None = None
        self._recording = asyncio.Lock()
        self._closed = False

    # From start to end.

    async def start(self) -> None:
        """Starts the sampler, and begins to build on a thread."""
        self.ended = False
        self._loop = asyncio.get_running_loop()
        await self.worker.start()
        self._boot.start()
        self._watch = self._loop.create_task(self._watch_threads())

    def _build(self) -> None:
        """Opens the record, installs the model as v0, and begins to follow the live pointer."""
        settings = self.settings
        try:
            shut = bool(self.key or settings.server.oidc.issuer)
            self._store = Store.open(settings.database.resolve(settings.data), opt_in=shut)
            from policy.version_errors import UnusablePlace

            from .decode.residence import BASE, Residence
        except (OperationalError, StoreError) as error:
            self._give_up(f"the database cannot be opened: {getattr(error, 'orig', error)}")
            return
        try:
            place = settings.versions.place(settings.data)
            versions = place.open()
            digest = self.worker.install(place, settings.model)
            self._store.install_base(BASE, digest=digest)
        except Broken as error:
            self._give_up(f"the model {settings.model} cannot be served: {error}")
            return
        except UnusablePlace as error:
            self._give_up(str(error))
            return
        self._residence = Residence(versions, self._store, self.worker, settings.server)
        if not self._closed:
            self._residence.start()

    def _give_up(self, problem: str) -> None:
        """Nothing but other settings will help."""
        self.misconfigured, self.problem = True, problem

    async def _watch_threads(self) -> None:
        """Sees a part that has died, so that the process ends and is started anew instead of half
        serving."""
        looked_at = time.monotonic()
        while self.problem is None:
            residence, worker = self._residence, self.worker
            if time.monotonic() - looked_at > self.stalled_after_s:
                # The machine was paused, and nobody came round.
                worker.resumed()
            looked_at = time.monotonic()
            if residence is None and not self._boot.is_alive():
                self.problem = "the start has failed"
            elif residence is not None and residence.hopeless is not None:
                self._give_up(residence.hopeless)
            elif worker.crashed:
                self.problem = "the process that decodes has died"
            elif worker.stalled_s > 2 * self.stalled_after_s:
                self.problem = f"no decode step has ended for {worker.stalled_s:.0f} s"
                worker.give_up()
            elif residence is not None and residence.crashed:
                self.problem = "the thread that follows the live version has died"
            await asyncio.sleep(0.25)
        log.error("%s", self.problem)
        if self.failed is not None:
            self.failed(self.problem)

    def drain(self, grace_s: float) -> None:
        """Takes no new requests; those that run have so many seconds before they end with an
        error."""
        self.draining = True
        self._loop.call_later(grace_s, self.worker.fail_all, "The server is shutting down.")

    async def close(self) -> None:
        """Stops the process and the threads, and closes the record; `ended` says whether all
        threads have ended."""
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
        if self._residence is not None:
            self._residence.stop()
        await self.worker.stop(CLOSE_S)
        threads = [self._boot, self._residence]
        started = [thread for thread in threads if thread is not None and thread.ident is not None]
        await asyncio.gather(*(asyncio.to_thread(thread.join, CLOSE_S) for thread in started))
        if self._store is not None:
            self._store.close()
        self.ended = not any(thread.is_alive() for thread in started)

    # What the routes use.

    @property
    def store(self) -> Store:
        if self._store is None:
            raise unready(self.problem or "The server is starting.")
        return self._store

    @property
    def is_recording(self) -> bool:
        """Whether the record is open."""
        return self._store is not None

    @property
    def residence(self) -> Residence:
        if self._residence is None:
            raise unready(self.problem or "The model is being loaded.")
        return self._residence

    @property
    def current_id(self) -> str | None:
        """The version that answers; None while there is none."""
        current = self._residence.current if self._residence else None
        return current.id if current else None

    @property
    def canary_id(self) -> str | None:
        """The version that is tried on some of the people, once it answers."""
        canary = self._residence.canary if self._residence else None
        return canary.id if canary else None

    @property
    def resident_ids(self) -> frozenset[str]:
        return self._residence.ids if self._residence else frozenset()

    @property
    def problems(self) -> dict[str, str]:
        """Versions that cannot be served, and why."""
        return self._residence.problems if self._residence else {}

    def follow(self) -> None:
        """The live pointer has just moved."""
        if self._residence is not None:
            self._residence.follow()

    def check_room(self) -> None:
        """Raises ApiError when nobody's request can be taken."""
        if self.draining:
            raise unready("The server is shutting down.")
        if self.in_flight >= self.settings.server.queue:
            raise ApiError(
                503,
                f"The server has {self.in_flight} requests in flight. Please retry shortly.",
                code="server_overloaded",
                retry_after_s=1,
            )

    def admit(self, person: str) -> None:
        """Counts one more request of this person's; raises ApiError when no more can be taken."""
        self.check_room()
        share = self.settings.server.queue_share
        if share is not None and self._by_person[person] >= share:
            raise ApiError(
                429,
                f"You have {share} requests in flight, which is your share. Please retry shortly.",
                code="rate_limit_exceeded",
                retry_after_s=1,
            )
        self._by_person[person] += 1

    def leave(self, person: str) -> None:
        """One of the person's requests is over."""
        self._by_person[person] -= 1
        if not self._by_person[person]:
            del self._by_person[person]

    @property
    def in_flight(self) -> int:
        """Requests for answers that are not over."""
        return self._by_person.total()

    async def record(self, generation: GenerationRecord) -> None:
        """Keeps a generation. One at a time: SQLite has one writer, and waiting here is fair where
        its own retries are not."""
        async with self._recording:
            point("generation.record")
            await run_in_threadpool(self.store.record_generation, generation)
            point("generation.recorded")

    async def pin(self, model: str, person: str | None = None) -> Resident:
        """Lends the version that a model name means, to this person; loads it if need be. Raises
        ApiError."""
        version = self.version_named(model)
        residence = self.residence
        resident = residence.pin(version, person)
        if resident is None and version is None:
            raise unready("The model is being loaded.")
        if resident is None and version is not None:
            resident = await self._bring(residence, version)
        assert resident is not None, "either it is lent or an error was raised"
        return resident

    def version_named(self, model: str) -> str | None:
        """`rankloop`, or another name for it -> None (the live one), `rankloop@v7` -> `v7`; raises
        ApiError for any other."""
        if model == MODEL or model in self.settings.server.aliases:
            return None
        match = VERSION_NAME.fullmatch(model)
        if match is None:
            message = f"The model `{model[:100]}` does not exist. Use `{MODEL}` or `{MODEL}@v0`."
            raise ApiError(404, message, param="model", code="model_not_found")
        return match[1]

    @asynccontextmanager
    async def lent(self, model: str) -> AsyncIterator[Resident]:
        """The version that a model name means, for as long as the block lasts."""
        resident = await self.pin(model)
        try:
            yield resident
        finally:
            self.residence.release(resident)

    async def _bring(self, residence: Residence, version: str) -> Resident:
        from .decode.residence import NotResident

        resident = None
        while resident is None:
            try:
                await asyncio.shield(asyncio.wrap_future(residence.want(version)))
            except NotResident as error:
                message = f"The version `{version}` cannot be answered with: {error}"
                raise ApiError(404, message, param="model", code="version_not_resident") from None
            resident = residence.pin(version)
        return resident

    @staticmethod
    def encode(resident: Resident, prompt: Prompt) -> tuple[int, ...]:
        """Prompt ids; raises ApiError for what the model cannot take."""
        from policy.chat import InvalidMessages

        try:
            if prompt.ids is not None:
                return prompt.ids
            if prompt.text is not None:
                return resident.encode_text(prompt.text)
            return resident.encode(prompt.messages)
        except InvalidMessages as error:
            raise ApiError(400, str(error), param=prompt.param, code="invalid_value") from None
