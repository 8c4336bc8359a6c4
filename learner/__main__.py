"""The learner process: `rankloop learner`, or `python -m learner` with the same flags."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence

import rankloop_logs
from learner.ranks.crew import follows, keep_following
from learner.reward_settings import ScorerSettings, UnusableScorer
from learner.settings import Settings

CLOCK_S = 5.0
"""Seconds between looks whether the machine's clock was set."""

log = logging.getLogger("rankloop.learner")


def main(settings: Settings) -> None:
    """Learn until SIGTERM or SIGINT. A round that runs then is left to the next start, which goes
    on with it at once.
    """
    rankloop_logs.begin(settings.log.format, "learner", plain="%(message)s")
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    if follows():
        _end_at_once()
        keep_following(settings.learner.device)
    _on_stop(_leave)  # until something is begun, there is nothing to wait for
    _learn(settings)
    _leave()


def _on_stop(act: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: act())


def _end_at_once() -> None:
    """Python's own handlers wait for the call that waits for the next round; there is nothing to
    hand back.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def _leave() -> None:
    """Threads of a running round die with the process: its row is open, and is claimed again."""
    sys.stdout.flush()
    os._exit(0)


def _learn(settings: Settings) -> None:
    """Tick until stopped. SystemExit with a line, where only other settings would help."""
    from feedback.store import Store
    from learner.checks.lists import Lists, UnusableList
    from learner.events import lacking
    from learner.keeper import Keeper
    from learner.schedule import ticking
    from policy.source import ModelNotFound, UnsupportedModel
    from policy.version_errors import StoreAway, UnusablePlace
    from policy.versions import CorruptVersion, WrongModel

    wanting = lacking(settings.learner.tensorboard)
    if wanting:
        sys.exit(wanting)
    settings.data.mkdir(parents=True, exist_ok=True)
    store = Store.open(settings.database.resolve(settings.data))
    try:
        manifest = settings.versions.place(settings.data).open().install_base(settings.model)
    except (UnsupportedModel, WrongModel, CorruptVersion, ModelNotFound) as error:
        sys.exit(f"the model {settings.model} cannot be trained: {error}")
    except (UnusablePlace, StoreAway) as error:
        sys.exit(str(error))
    _check_scorers(settings.learner.reward.scorers)
    try:
        Lists.read(settings.learner.gate)
    except UnusableList as error:
        sys.exit(str(error))
    store.install_base("v0", digest=manifest.digest)
    keeper = Keeper(store, settings)
    keeper.beat()
    log.info("learner ready; %s", keeper.missing or "it waits for rankings")
    stop = threading.Event()
    _on_stop(stop.set)
    with ticking(keeper) as ticker:
        while not stop.wait(CLOCK_S):
            ticker.follow_clock()
        keeper.stop()


def _check_scorers(scorers: Sequence[ScorerSettings]) -> None:
    """SystemExit with a line for one that no round could use; else they are downloaded now."""
    if not scorers:
        return  # torch is imported by the first round, not at the start
    from learner.scorers import checked

    for scorer in scorers:
        try:
            checked(scorer)
        except UnusableScorer as error:
            sys.exit(str(error))


if __name__ == "__main__":
    import rankloop

    sys.argv[:] = ["rankloop", "learner", *sys.argv[1:]]
    rankloop.main()
