"""Nobody's marks and demonstrations are more of a round than their person is trusted to teach: what
is held back is written down with the reason, waits no longer, and is counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from feedback.preferences import IMPORTED, MarkedPrompt
from feedback.records import Claim, Reason, StoredDemonstration
from feedback.store import Store
from feedback.trust.settings import TrustSettings
from feedback.trust.shares import Given, held_back


class Shares:
    """Of one round."""

    def __init__(self, store: Store, claim: Claim, settings: TrustSettings) -> None:
        self.store = store
        self.claim = claim
        self.settings = settings

    def marked(self, given: Sequence[MarkedPrompt]) -> list[MarkedPrompt]:
        """What everybody may teach by thumbs and ratings: prompts are counted, not marks. What was
        imported is an operator's, and counts in full.
        """
        said = [Given(one.mark_ids, one.person) for one in given if not one.imported]
        out = self._held_back("mark", said)
        return [one for one in given if not out & set(one.mark_ids)]

    def demonstrations(self, given: Sequence[StoredDemonstration]) -> list[StoredDemonstration]:
        """What everybody may teach by example, and what was imported."""
        shown = [Given((one.id,), one.person) for one in given if one.source != IMPORTED]
        out = self._held_back("demonstration", shown)
        return [one for one in given if one.id not in out]

    def _held_back(self, kind: str, given: Sequence[Given]) -> set[int]:
        """The rows that do not count, once they are written down."""
        if not given:
            return set()
        found = held_back(given, self.store.judgements(), self.settings, self.claim.round_id)
        by_reason: dict[str, list[int]] = defaultdict(list)
        for one in found:
            by_reason[one.reason] += one.ids
        for reason, ids in by_reason.items():
            self.store.leave_out(self.claim, kind, ids, reason)
        return {id for one in found for id in one.ids}

    def note(self) -> Reason | None:
        """How much the round, in whichever of its attempts, has held back."""
        held = self.store.round(self.claim.round_id).held_back
        if not held:
            return None
        text = (
            f"{held} marks or demonstrations were more than their people may teach in a round "
            "(learner.trust: cap, medians; exempt names people who count in full)."
        )
        return Reason("shares", True, float(held), None, text)
