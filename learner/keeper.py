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

from feedback.errors import LeaseLost
from feedback.records import Claim
from feedback.store import Store
from learner.due import trigger_of
from learner.idle import Idle
from learner.leftovers import clear_states
from learner.progress import Cancelled
from learner.readiness import lacking
from learner.settings import LearnerSettings, Settings
from policy.versions import Versions

if TYPE_CHECKING:
    from learner.regression import Baseline

log = logging.getLogger("rankloop.learner")

EXAMINED_S = 30.0
"""Seconds after which it is seen again whether a round would fit."""


class Keeper:
    """One learner process. `beat` and `look` are called again and again, each by one thread."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.model = settings.model
        self.settings: LearnerSettings = settings.learner
        self.versions = Versions(settings.data / "versions")
        self.folder = settings.data / "rounds"
        self.holder = f"{socket.gethostname()}:{os.getpid()}"
        self.claim: Claim | None = None
        self.last_error: str | None = None
        self.next_run_at: float | None = None
        self.baseline: Baseline | None = None
        self.examined: tuple[str, float] = ("", 0.0)  # the live version, and when
        self.missing: str | None = None
        self._examine()
        self.idle = Idle(store, self.versions, self.settings)

    def beat(self) -> None:
        """Say that this learner lives, and keep its lease."""
        self.store.heartbeat(
            holder=self.holder,
            state="running" if self.claim else "idle",
            next_run_at=self.next_run_at,
            last_error=self.last_error,
            missing=self.missing,
        )
        if self.claim is not None:
            try:
                self.store.renew(self.claim, self.settings.lease_s)
            except LeaseLost as error:
                log.warning("%s", error)

    def look(self) -> None:
        """Ask for a round if one is due, and run the open one if it can be had; else score a few
        stored answers.
        """
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
        clear_states(self.store, self.folder)

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
        # what takes seconds to import waits for the first round
        from learner import round as learning_round
        from learner.ground import Ground
        from learner.regression import Baseline

        self.baseline = self.baseline or Baseline()
        began = time.monotonic()
        log.info("round %d begins", claim.round_id)
        try:
            ground = Ground(
                self.store,
                self.versions,
                self.model,
                self.settings,
                claim,
                self.baseline,
                self.folder,
            )
            with closing(ground.progress):
                result = learning_round.run(ground)
            done = self.store.finish_round(
                claim,
                outcome=result.outcome,
                reasons=result.reasons,
                version_id=result.version_id,
                reward_id=result.reward_id,
                reward=result.reward,
            )
            took = time.monotonic() - began
            log.info("round %d: %s after %.0f s", done.id, done.outcome, took)
            self.last_error = None
        except Cancelled:
            self.store.finish_round(claim, outcome="cancelled")
        except LeaseLost as error:
            log.warning("round %d is another learner's now: %s", claim.round_id, error)
        except Exception as error:  # noqa: BLE001  the process's edge: the round fails, and says why
            self._fail(claim, error)

    def _fail(self, claim: Claim, error: Exception) -> None:
        self.last_error = f"{type(error).__name__}: {error}"
        log.error("round %d failed\n%s", claim.round_id, traceback.format_exc())
        try:
            self.store.finish_round(claim, outcome="failed", error=self.last_error)
        except LeaseLost as lost:
            log.warning("%s", lost)
