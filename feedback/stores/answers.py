"""What people asked and were answered."""

from __future__ import annotations

from .. import conversations
from ..records import GenerationRecord, LoggedPrompt, StoredCandidate
from .transactions import Transactions


class Answers(Transactions):
    """What people asked and were answered."""

    def record_generation(self, record: GenerationRecord) -> None:
        """Keep a generation and its candidates; raises InvalidText for a name it cannot keep."""
        with self._writing() as session:
            conversations.record(session, record)

    def generation(self, id: str) -> GenerationRecord:
        """The generation; raises NotFound."""
        with self._reading() as session:
            return conversations.generation(session, id)

    def candidate(self, id: str) -> StoredCandidate:
        """The candidate with its generation; raises UnknownCandidate."""
        with self._reading() as session:
            return conversations.candidate(session, id)

    def logged_prompts(self, limit: int) -> list[LoggedPrompt]:
        """The last distinct prompts whose people consented, most recent first."""
        with self._reading() as session:
            return conversations.logged_prompts(session, limit)
