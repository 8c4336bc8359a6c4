"""Ends a trial as soon as its rankings decide it, a few seconds after the one that did."""

from __future__ import annotations

import asyncio
import logging

from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool

from feedback.errors import StoreError

from ..errors import ApiError
from ..said.ahead import tell_of_end
from ..serving import Serving
from .canary import terms_of

log = logging.getLogger(__name__)

LOOK_S = 2.0
"""Between looks for a new ranking; no more is read where there is none."""


class TrialWatch:
    """Looks at the trial that goes on. Lives on the event loop. Several servers on one database may
    look: whoever is first decides.
    """

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._terms = terms_of(serving.settings)
        self._seen: tuple[object, ...] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look."""
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name="what looks at trials"
        )
        self._task.add_done_callback(tell_of_end)

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await run_in_threadpool(self._look)
            except (ApiError, StoreError, OperationalError) as error:
                log.warning("the trial could not be looked at, and is again: %s", error)

    def _look(self) -> None:
        mark = self._serving.store.trial_mark()
        if mark is None or mark == self._seen:
            return
        ended = self._serving.store.decide_trial(self._terms)
        self._seen = mark
        if ended is not None:
            log.info("the trial of %s is over: better is %s", ended.version, ended.better)
            self._serving.follow()
