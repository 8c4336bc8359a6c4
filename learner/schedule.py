"""The clock: APScheduler as a ticker in memory. The truth about rounds is in the tables.

Jobs late or missed while the process was down run once, at once; none runs beside itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from learner.keeper import Keeper

BEAT_S = 5.0
"""Seconds between heartbeats; the record calls a learner dead after 30."""


@contextmanager
def ticking(keeper: Keeper) -> Iterator[BackgroundScheduler]:
    """Beat and look until the block ends; a running round is not waited for.

    Raises ValueError for a cron line that cannot be read.
    """
    settings = keeper.settings
    jobs = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    scheduler = BackgroundScheduler(job_defaults=jobs)
    beat_s = min(BEAT_S, settings.lease_s / 3)
    scheduler.add_job(keeper.beat, "interval", seconds=beat_s)
    scheduler.add_job(keeper.look, "interval", seconds=settings.tick_s)
    if settings.schedule:
        cron = scheduler.add_job(
            lambda: _scheduled(keeper, scheduler),
            CronTrigger.from_crontab(settings.schedule),
            id="cron",
        )
        scheduler.start()
        keeper.next_run_at = cron.next_run_time.timestamp()
    else:
        scheduler.start()
    try:
        yield scheduler
    finally:
        scheduler.shutdown(wait=False)


def _scheduled(keeper: Keeper, scheduler: BackgroundScheduler) -> None:
    keeper.request_scheduled()
    keeper.next_run_at = scheduler.get_job("cron").next_run_time.timestamp()
