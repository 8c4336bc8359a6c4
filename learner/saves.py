"""When a round's improving is saved, and where it goes on after an interruption."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from learner.saved import Saved
from learner.state import Stateful

log = logging.getLogger("rankloop.learner")


@dataclass(frozen=True)
class Saves:
    """Into `saved` after each `every` steps and after the last; nowhere where there is no folder.

    What an interrupted attempt did after its last save is done again, to the same end.
    """

    saved: Saved | None = None
    every: int = 1

    def resume(self, going: Stateful) -> int:
        """Bring it to where it was saved last; how many steps that had taken."""
        last = self.saved.last_step() if self.saved else None
        if last is None:
            return 0
        step, state = last
        going.restore(state)
        log.info("the round goes on after step %d", step)
        return step

    def after(self, step: int, steps: int, going: Stateful) -> None:
        """Save it if that is due."""
        if self.saved and (step % self.every == 0 or step == steps):
            self.saved.write_step(step, going.state())
