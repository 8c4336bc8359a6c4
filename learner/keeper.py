"""The learner between rounds: it beats, looks whether a round is due, and runs it.

Rounds are rows and the lease is a row; this object holds only what it may forget.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import traceback
from contextlib import closing
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError

from feedback.errors import LeaseLost
from feedback.records import Claim
from feedback.store import Store
from learner.due import trigger_of
from learner.idle import Idle
from learner.leftovers import clear_states, clear_versions
from learner.mode import outcome
from learner.progress import Cancelled, Progress
from learner.pruning import prune
from learner.ranks import RankLost
from learner.ranks.crew import Crew, Order
from learner.ranks.shared import seen_by_all
from learner.readiness import lacking
from learner.settings import LearnerSettings, Settings
from rankloop_faults import point

if TYPE_CHECKING:
    from learner.ground import Result
    from learner.regression import Baseline

log = logging.getLogger("rankloop.learner")

EXAMINED_S = 30.0
"""Seconds after which it is seen again whether a round would fit."""


class Keeper:
    """One learner process. `beat` and `look` are called again and again, each by one thread."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.model = settings.model
        self.data = settings.data
        self.crew = Crew()
        self.settings: LearnerSettings = settings.learner
        self.place = settings.versions.place(settings.data)
        self.versions = self.place.open()
        self.folder = settings.data / "rounds"
        self.engines = settings.vllm.urls
        self.holder = f"{socket.gethostname()}:{os.getpid()}"
        self.claim: Claim | None = None
        self.last_error: str | None = None
        self.next_run_at: float | None = None
        self.baseline: Baseline | None = None
        self.examined: tuple[str, float] = ("", 0.0)  # the live version, and when
        self.missing: str | None = None
        self.looked = time.monotonic()
        self.progress: Progress | None = None
        self.tidy = False
        self._examine()
        self.idle = Idle(store, self.versions, self.settings, settings.data / "heads")

    def beat(self) -> None:
        """Say that this learner lives, and keep its lease."""
        self.store.heartbeat(
            holder=self.holder,
            state="running" if self.claim else "idle",
            next_run_at=self.next_run_at,
            last_error=self.last_error,
            missing=self.missing,
            still_s=self.still_s,
        )
        if self.claim is not None:
            try:
                self.store.renew(self.claim, self.settings.lease_s)
            except LeaseLost as error:
                log.warning("%s", error)

    @property
    def still_s(self) -> float:
        """Seconds in which neither a look nor a round has come a step further. The thread that
        beats goes on even where the one that works waits for a disk that never answers.
        """
        went_on = max(self.looked, self.progress.went_on if self.progress else 0.0)
        return time.monotonic() - went_on

    def look(self) -> None:
        """Ask for a round if one is due, and run the open one if it can be had; else score a few
        stored answers.
        """
        self.looked = time.monotonic()
        self._examine()
        if self.missing:
            return
        trigger = trigger_of(self.store, self.settings)
        if trigger:
            self.store.request_round(trigger=trigger, stages=None, actor="learner")
        self.claim = self.store.claim_round(self.holder, self.settings.lease_s)
        if self.claim is None:
            self.idle.turn()
        else:
            self._take_on(self.claim)
            self.tidy = False
        self._tidy()
        clear_states(self.store, self.folder)

    def _tidy(self) -> None:
        """Once after the start and after each round: what no round needs any more goes."""
        if not self.tidy:
            prune(self.store, self.versions, self.settings.keep_versions)
            self.tidy = True

    def _take_on(self, claim: Claim) -> None:
        """Run the round that was claimed."""
        self.idle.leave()
        self.beat()
        self._run(claim)
        self.claim = None
        self.beat()

    def request_scheduled(self) -> None:
        """Ask for a round because the cron line says so."""
        self.store.request_round(trigger="schedule", stages=None, actor="learner")

    def _examine(self) -> None:
        """See what keeps rounds from running here: another live version may change it, and so may
        the memory that others take.
        """
        live, now = self.store.live().version, time.monotonic()
        if (live, True) != (self.examined[0], now < self.examined[1] + EXAMINED_S):
            self.missing = lacking(self.versions, live, self.settings)
            self.examined = (live, now)

    def _run(self, claim: Claim) -> None:
        """Run a claimed round to its end, whatever that is."""
        began = time.monotonic()
        log.info("round %d begins", claim.round_id)
        try:
            order = Order(claim, self.model, self.settings, self.data, self.place)
            with self.crew.together(order):
                result = self._learn(claim)
            point("round.finish")
            done = self.store.finish_round(
                claim,
                outcome=outcome(result.outcome, self.settings.mode),
                reasons=result.reasons,
                version_id=result.version_id,
                reward_id=result.reward_id,
                reward=result.reward,
            )
            point("round.finished")
            took = time.monotonic() - began
            log.info("round %d: %s after %.0f s", done.id, done.outcome, took)
            self.last_error = None
        except Cancelled:
            self.store.finish_round(claim, outcome="cancelled")
        except LeaseLost as error:
            log.warning("round %d is no longer this learner's: %s", claim.round_id, error)
        except RankLost as error:
            self.last_error = f"round {claim.round_id} is taken up again: {error}"
            log.warning("%s", self.last_error)
            self._hand_back(claim, counted=True)
        except OperationalError as error:
            log.warning("round %d waits for the database: %s", claim.round_id, error.orig)
            self._hand_back(claim, counted=True)
        except Exception as error:  # noqa: BLE001  the process's edge: the round fails, and says why
            self._fail(claim, error)

    def _learn(self, claim: Claim) -> Result:
        """Raises Cancelled, LeaseLost, RankLost, and whatever may go wrong in a round."""
        # what takes seconds to import waits for the first round
        from learner import round as learning_round
        from learner.ground import Ground
        from learner.regression import Baseline

        self.baseline = self.baseline or Baseline()
        store = seen_by_all(self.store)
        ground = Ground(
            store,
            self.versions,
            self.model,
            self.settings,
            claim,
            self.baseline,
            self.folder,
            self.engines,
        )
        self.progress = ground.progress
        with closing(ground.progress):
            return learning_round.run(ground)

    def _fail(self, claim: Claim, error: Exception) -> None:
        self.last_error = f"{type(error).__name__}: {error}"
        log.error("round %d failed\n%s", claim.round_id, traceback.format_exc())
        try:
            self._clear(claim)
            self.store.finish_round(claim, outcome="failed", error=self.last_error)
        except LeaseLost as lost:
            log.warning("%s", lost)

    def _clear(self, claim: Claim) -> None:
        """Remove what it has published and not registered; what the disk does not let go of, the
        next round removes. Raises LeaseLost.
        """
        self.store.renew(claim, self.settings.lease_s)
        try:
            clear_versions(self.store, self.versions)
        except OSError as error:
            log.warning("round %d leaves a folder: %s", claim.round_id, error)

    def stop(self) -> None:
        """Leave the running round to the next learner, which need not wait for the lease to run
        out.
        """
        if self.claim is not None:
            self._hand_back(self.claim, counted=False)

    def _hand_back(self, claim: Claim, *, counted: bool) -> None:
        """Free the lease. Where that fails too, it runs out by itself."""
        try:
            self.store.hand_back(claim, counted=counted)
        except (LeaseLost, OperationalError) as error:
            log.warning("the lease of round %d is left: %s", claim.round_id, type(error).__name__)
