"""Lets go of conversations that are older than `feedback.keep_days` and that nobody has judged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool

from ..errors import ApiError
from ..serving import Serving

log = logging.getLogger(__name__)

LOOK_S = 600.0
"""Between looks; nobody's day is that exact."""
SOON_S = 1.0
"""Between two batches, so that people write in between; and until a record that is not open yet."""


@asynccontextmanager
async def forgetting(serving: Serving) -> AsyncIterator[None]:
    """Looks again and again until the block ends; never where nothing is set."""
    days = serving.settings.feedback.keep_days
    if days is None:
        yield
        return
    task = asyncio.create_task(_forget(serving, days))
    try:
        yield
    finally:
        task.cancel()


async def _forget(serving: Serving, days: int) -> None:
    while True:
        try:
            count = await run_in_threadpool(lambda: serving.store.forget(days))
        except (ApiError, OperationalError):
            await asyncio.sleep(SOON_S)
            continue
        if count:
            log.info("%d requests older than %d days are emptied", count, days)
        await asyncio.sleep(SOON_S if count else LOOK_S)
