"""The clock: APScheduler as a ticker in memory. The truth about rounds is in the tables.

Jobs late or missed while the process was down run once, at once; none runs beside itself. They are
due by the machine's clock: where that is set back, they are put off from then.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from learner.keeper import Keeper

BEAT_S = 5.0
"""Seconds between heartbeats; the record calls a learner dead after 30."""

SET_BACK_S = 1.0
"""What a clock that is kept in time is not set back by."""


class Ticker:
    """Beats and looks, and asks for rounds by the cron line. Raises ValueError for a cron line that
    cannot be read.
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        jobs = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler = BackgroundScheduler(job_defaults=jobs)
        settings = keeper.settings
        self._every = {"beat": min(BEAT_S, settings.lease_s / 3), "look": settings.tick_s}
        for name, seconds in self._every.items():
            self._scheduler.add_job(getattr(keeper, name), "interval", seconds=seconds, id=name)
        if settings.schedule:
            trigger = CronTrigger.from_crontab(settings.schedule)
            self._scheduler.add_job(self._scheduled, trigger, id="cron")
        self._ahead = _ahead()

    def start(self) -> None:
        self._scheduler.start()
        self._show_next()

    def stop(self) -> None:
        """A running round is not waited for."""
        self._scheduler.shutdown(wait=False)

    def follow_clock(self) -> None:
        """To be called now and then: where the clock has been set back by an hour, each job would
        wait for an hour.
        """
        before, self._ahead = self._ahead, _ahead()
        if self._ahead < before - SET_BACK_S:
            for name, seconds in self._every.items():
                self._scheduler.reschedule_job(name, trigger="interval", seconds=seconds)

    def _scheduled(self) -> None:
        self._keeper.request_scheduled()
        self._show_next()

    def _show_next(self) -> None:
        cron = self._scheduler.get_job("cron")
        if cron is not None:
            self._keeper.next_run_at = cron.next_run_time.timestamp()


@contextmanager
def ticking(keeper: Keeper) -> Iterator[Ticker]:
    """Beat and look until the block ends."""
    ticker = Ticker(keeper)
    ticker.start()
    try:
        yield ticker
    finally:
        ticker.stop()


def _ahead() -> float:
    """Of the machine's clock over one that nobody sets, in seconds."""
    return time.time() - time.monotonic()
