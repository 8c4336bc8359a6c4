"""Answers prompts for the labelling queue before anybody asks for them.

Only for people who label, or import prompts: a queue that nobody looks at costs nothing. It has the
lowest priority, and begins only while nobody waits for an answer; but somebody who has nothing left
to label waits as well.
"""

from __future__ import annotations

import asyncio
import logging
import time
from random import Random

from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool

from feedback.errors import StoreError
from feedback.labelling import PromptSource

from ..answers.ask import aside
from ..answers.generation import Generation
from ..errors import ApiError
from ..serving import MODEL, Serving

log = logging.getLogger(__name__)

KEEP_S = 600.0
"""So long after somebody last asked for an item others are still made for them."""
LOOK_S = 0.25
"""Between looks for somebody who has too few."""
FAULT_S = 2.0
EXTRA_LABELS = 2
"""People more who rank a shared item: three can outvote one."""


class Ahead:
    """Keeps so many items ready for each person who labels. `expect` is for any thread, the rest
    lives on the event loop."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._settings = serving.settings.server.tasks
        self._asked_at: dict[str, float] = {}
        self._stocked: set[str] = set()
        self._chance = Random()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look."""
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run(), name="what makes items to label")
        self._task.add_done_callback(tell_of_end)

    def stop(self) -> None:
        """Ends, and with it what it was about to answer."""
        if self._task is not None:
            self._task.cancel()

    def expect(self, person: str) -> None:
        """This person labels, and has just taken an item or brought prompts."""
        self._loop.call_soon_threadsafe(self._expect, person)

    def _expect(self, person: str) -> None:
        self._asked_at[person] = time.monotonic()
        # What one has taken the others do not have any more.
        self._stocked.clear()

    async def _run(self) -> None:
        while True:
            try:
                pause_s = 0.0 if await self._make_one() else LOOK_S
            except (ApiError, StoreError, OperationalError) as error:
                log.warning("an item to label could not be made, and is tried again: %s", error)
                pause_s = FAULT_S
            await asyncio.sleep(pause_s)

    async def _make_one(self) -> bool:
        """Makes an item for whoever has too few; says whether there was anything to do. While a
        version is tried, half of an item's answers are its own."""
        version = self._serving.canary_id or self._serving.current_id
        if version is None or self._serving.draining or not await self._is_needed():
            return False
        source = await run_in_threadpool(self._serving.store.next_source, version)
        if source is None:
            return False
        try:
            await self._answer(source, version)
        except ApiError as error:
            if error.status >= 500:
                raise
            # The model has no room for it: it is not tried again with every look.
            log.warning("a prompt cannot be answered for labelling: %s", error)
            await self._keep(source, [], version, wanted=0)
        return True

    async def _is_needed(self) -> bool:
        for person in self._labelling():
            ready = await run_in_threadpool(
                self._serving.store.ready_tasks, person, self._serving.canary_id
            )
            if ready >= self._settings.ready:
                self._stocked.add(person)
            elif not ready or not self._serving.in_flight:
                return True
        return False

    def _labelling(self) -> list[str]:
        """Those who asked of late, as far as they may have too few."""
        since = time.monotonic() - KEEP_S
        self._asked_at = {person: at for person, at in self._asked_at.items() if at > since}
        self._stocked &= self._asked_at.keys()
        return [person for person in self._asked_at if person not in self._stocked]

    async def _answer(self, source: PromptSource, version: str) -> None:
        candidates: list[str] = []
        texts: set[str] = set()
        for model, count in self._shares():
            ask = aside(source, model, n=count)
            async with Generation(self._serving, ask, aside=True) as generation:
                async for _ in generation.pieces():
                    pass
                await generation.store()
                candidates += generation.candidate_ids
                texts |= {choice.text for choice in generation.choices}
        wanted = self._wanted() if len(texts) > 1 else 0
        shown = self._settings.answers
        shows = shown if wanted and len(candidates) > shown else None
        await self._keep(source, candidates, version, wanted, shows)

    def _shares(self) -> list[tuple[str, int]]:
        """By whom an item's answers are, and how many. What a trial is decided by is drawn as it
        comes: of chosen answers a win says less."""
        canary, live, answers = (
            self._serving.canary_id,
            self._serving.current_id,
            self._settings.answers,
        )
        if canary is None:
            return [(MODEL, max(answers, self._drawn))]
        half = answers // 2
        return [(f"{MODEL}@{live}", answers - half), (f"{MODEL}@{canary}", half)]

    @property
    def _drawn(self) -> int:
        """Answers to choose from; 0 where they are shown as they come."""
        informative = self._serving.settings.server.pairing == "informative"
        return self._settings.drawn if informative else 0

    async def _keep(
        self,
        source: PromptSource,
        candidates: list[str],
        version: str,
        wanted: int,
        shows: int | None = None,
    ) -> None:
        add = self._serving.store.add_task
        await run_in_threadpool(
            add, source, candidates, version=version, wanted=wanted, shows=shows
        )

    def _wanted(self) -> int:
        shared = self._chance.random() < self._settings.shared
        return self._settings.labels + (EXTRA_LABELS if shared else 0)


def tell_of_end(task: asyncio.Task[None]) -> None:
    """Without it a mistake of ours would end it in silence; people chat on either way."""
    if not task.cancelled() and task.exception() is not None:
        log.error("%s has ended", task.get_name(), exc_info=task.exception())
