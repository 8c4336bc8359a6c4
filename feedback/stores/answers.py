"""What people asked and were answered."""

from __future__ import annotations

from .. import conversations, histories
from ..records import (
    ConversationInfo,
    GenerationRecord,
    LoggedPrompt,
    StoredCandidate,
    TreeTurn,
)
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

    def conversations(self, person: str, limit: int = 50) -> list[ConversationInfo]:
        """The person's last conversations, the one that went on last first."""
        with self._reading() as session:
            return histories.of_person(session, person, limit)

    def conversation(self, id: str, person: str) -> list[TreeTurn]:
        """A conversation's turns, each after the one that it answers; raises NotFound where the
        person has none of this id.
        """
        with self._reading() as session:
            return histories.tree(session, id, person)
