"""What holds personal data stays out of a round: it is written down, waits no longer, and is
counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from feedback import personal
from feedback.preferences import MarkedPrompt, RankedPrompt
from feedback.records import Claim, LoggedPrompt, Reason, StoredDemonstration
from feedback.store import Store

Given = TypeVar("Given")


class Sieve:
    """Of one round; `allowed` lets everything through."""

    def __init__(self, store: Store, claim: Claim, *, allowed: bool) -> None:
        self.store = store
        self.claim = claim
        self.allowed = allowed
        self.prompts_held = 0

    def rankings(self, given: Sequence[RankedPrompt]) -> list[RankedPrompt]:
        """Those without any."""
        held, kept = self._parted(given, personal.in_answered)
        self.store.leave_out(self.claim, "ranking", [one.ranking_id for one in held])
        return kept

    def marked(self, given: Sequence[MarkedPrompt]) -> list[MarkedPrompt]:
        """Those without any."""
        held, kept = self._parted(given, personal.in_answered)
        self.store.leave_out(self.claim, "mark", [id for one in held for id in one.mark_ids])
        return kept

    def demonstrations(self, given: Sequence[StoredDemonstration]) -> list[StoredDemonstration]:
        """Those without any."""
        held, kept = self._parted(given, lambda one: personal.in_turns(one.messages))
        self.store.leave_out(self.claim, "demonstration", [one.id for one in held])
        return kept

    def prompts(self, given: Sequence[LoggedPrompt]) -> list[LoggedPrompt]:
        """Those without any; a prompt waits for nothing, and is only counted."""
        held, kept = self._parted(given, lambda one: personal.in_turns(one.messages))
        self.prompts_held += len(held)
        return kept

    def _parted(
        self, given: Sequence[Given], holds: Callable[[Given], bool]
    ) -> tuple[list[Given], list[Given]]:
        """What holds personal data, and the rest."""
        if self.allowed:
            return [], list(given)
        found = [(one, holds(one)) for one in given]
        return [one for one, held in found if held], [one for one, held in found if not held]

    def note(self) -> Reason | None:
        """What the round, in whichever of its attempts, has left out."""
        said = self.store.round(self.claim.round_id).left_out
        if not said + self.prompts_held:
            return None
        text = (
            f"{said} rankings, marks or demonstrations and {self.prompts_held} prompts were left "
            "out: they seem to hold a mail address, a phone number or a payment card "
            "(learner.personal_data lets them in)."
        )
        return Reason("personal_data", True, float(said), None, text)
