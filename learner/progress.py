"""Where a round is, for people: stage, step of steps, time left, metrics; and where it can stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from feedback.records import Claim
from feedback.store import Store
from learner.events import Events
from learner.ranks import on_first


class Cancelled(Exception):
    """Somebody asked for this round to stop."""


class Progress:
    """Writes a round's progress under its claim, at most twice a second; of several ranks the first
    does, and where it raises the others' round ends with it. `went_on` is when it last heard of
    any, by the process's own clock.
    """

    def __init__(self, store: Store, claim: Claim) -> None:
        self.store = store
        self.claim = claim
        self.began = self.written = 0.0
        self.went_on = time.monotonic()
        self.done = 0
        self.events: Events | None = None
        self.name = ""

    def stage(self, name: str, steps: int = 1, done: int = 0) -> None:
        """Enter a stage of so many steps, of which some are done; raises Cancelled, LeaseLost."""
        self.name, self.began, self.done = name, time.monotonic(), done
        self.went_on = self.began
        self._write(done, steps)

    def step(self, step: int, steps: int) -> None:
        """So many of the stage's steps are done; raises Cancelled, LeaseLost."""
        self.went_on = time.monotonic()
        if step == steps or time.monotonic() - self.written > 0.5:
            self._write(step, steps)

    @on_first
    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Keep figures of a step of this stage; what is no number is left out: JSON has none."""
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        self.store.add_metrics(self.claim, stage=self.name, step=step, values=finite)
        if self.events is not None:
            self.events.write(self.name, step, finite)

    @on_first
    def show_in(self, folder: Path) -> None:
        """Metrics are TensorBoard events in this folder too, those of before among them."""
        self.events = Events(folder, self.store.metrics(self.claim.round_id))

    def close(self) -> None:
        """No more is written."""
        if self.events is not None:
            self.events.close()

    def reporter(self, every: int = 1) -> Callable[[int, int, dict[str, float]], None]:
        """A callback `(step, steps, metrics)` that writes both, metrics each `every` steps."""

        def report(step: int, steps: int, values: dict[str, float]) -> None:
            self.step(step, steps)
            if step % every == 0:
                self.metrics(step, values)

        return report

    @on_first
    def _write(self, step: int, steps: int) -> None:
        if self.store.cancelled(self.claim):
            raise Cancelled
        elapsed = time.monotonic() - self.began
        taken = step - self.done
        eta = elapsed / taken * (steps - step) if taken else None
        self.store.progress(self.claim, stage=self.name, step=step, steps=steps, eta_s=eta)
        self.written = time.monotonic()
