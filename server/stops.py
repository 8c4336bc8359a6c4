"""How often people stop an answer before it is done, by version."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool

if TYPE_CHECKING:
    from .serving import Serving

log = logging.getLogger(__name__)

TOGETHER_S = 0.5
"""So long they are collected: many clients may leave at once, and each write waits for the disk."""


class Stops:
    """Puts them on record, some at a time. Lives on the event loop."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._noted: list[str] = []
        self._writing: asyncio.Task[None] | None = None

    def note(self, version: str) -> None:
        """Somebody has just stopped an answer of this version."""
        self._noted.append(version)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        while self._noted:
            await asyncio.sleep(TOGETHER_S)
            noted, self._noted = self._noted, []
            try:
                await run_in_threadpool(self._serving.store.record_stops, noted)
            except OperationalError as error:
                log.warning("%d stopped answers are not counted: %s", len(noted), error.orig)
