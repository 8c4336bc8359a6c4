"""What people said of answers, and what of it is to be learned."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from .. import demonstrations, marks, rankings, training, versions
from ..preferences import MarkedPrompt, RankedPrompt
from ..records import StoredDemonstration, StoredMark, StoredRanking, Waiting
from .transactions import Transactions


class Said(Transactions):
    """What people said of answers, and what of it is to be learned."""

    def add_ranking(
        self,
        *,
        person: str,
        candidates: Sequence[str] | None = None,
        completion_id: str | None = None,
        ranks: Sequence[int | None],
        none_acceptable: bool = False,
        ratings: Mapping[str, Sequence[float | None]] | None = None,
        comment: str | None = None,
        task_id: str | None = None,
        idempotency_key: str | None = None,
        told: rankings.Told | None = None,
        criterion: str | None = None,
    ) -> StoredRanking:
        """Append a ranking of `candidates`, or of a completion's choices in order: 1 is best, None
        unranked; as a whole, or by one criterion alone.

        The same key with the same body gives the same row, marked `repeated`. Raises InvalidText,
        InvalidRanking, DifferentPrompts, UnknownCandidate or IdempotencyConflict, and then stores
        nothing.
        """
        body = rankings.RankingBody(
            person=person,
            candidates=candidates,
            completion_id=completion_id,
            ranks=ranks,
            none_acceptable=none_acceptable,
            ratings=ratings,
            comment=comment,
            task_id=task_id,
            idempotency_key=idempotency_key,
            told=told or rankings.Told(),
            criterion=criterion,
        )
        with self._writing("rankings") as session:
            return rankings.add(session, body)

    def waiting(self) -> Waiting:
        """The consented, comparable, not superseded rankings that no round has used yet.

        A round that failed or was cancelled has used none.
        """
        with self._reading() as session:
            return training.waiting(session)

    def training_rankings(self, ids: Collection[int] | None = None) -> list[RankedPrompt]:
        """Every ranking to learn from, or those of these ids, oldest first: consented, comparable,
        not superseded.
        """
        with self._reading() as session:
            return training.rankings(session, None if ids is None else training.of(ids))

    def rankings_by(self, criteria: Collection[str]) -> list[RankedPrompt]:
        """Every ranking to learn from by one of these criteria alone, oldest first."""
        with self._reading() as session:
            return training.rankings(session, training.learnable_by(criteria))

    def rankings_by_use(self, reward: str) -> tuple[list[int], list[int]]:
        """The ids of the rankings to learn from: those that the reward model's round used, and
        those that it did not; raises UnknownVersion.
        """
        with self._reading() as session:
            return training.ids_by_use(session, versions.get(session, reward).round_id)

    def last_ranking(self) -> int:
        """The id of the last ranking of all, 0 before the first."""
        with self._reading() as session:
            return training.last(session)

    def add_marks(
        self,
        *,
        person: str,
        candidate: str,
        values: Mapping[str, float],
        idempotency_key: str | None = None,
        comment: str | None = None,
    ) -> StoredMark:
        """Append a mark of a candidate by each of these criteria; a thumb is the criterion `thumb`,
        1 or 0. `comment` says why.

        The same key with the same body gives the same rows, marked `repeated`. Raises InvalidText,
        InvalidMark, UnknownCandidate or IdempotencyConflict, and then stores nothing.
        """
        body = marks.MarkBody(person, candidate, dict(values), idempotency_key, comment)
        with self._writing("rankings") as session:
            return marks.add(session, body)

    def training_marks(self, criteria: Collection[str]) -> list[MarkedPrompt]:
        """Every consented mark by these criteria that its person did not replace, one person's of
        one prompt together.
        """
        with self._reading() as session:
            return marks.prompts(session, criteria)

    def waiting_thumbs(self) -> Waiting:
        """The consented thumbs that no finished round has used yet, one person's of one prompt
        counted as one.
        """
        with self._reading() as session:
            return marks.waiting_thumbs(session)

    def add_demonstration(
        self,
        *,
        person: str,
        messages: Sequence[tuple[str, str]],
        conversation_id: str,
        candidate: str | None = None,
        source: str | None = None,
        idempotency_key: str | None = None,
    ) -> StoredDemonstration:
        """Append an ideal answer, or both sides of a conversation, as (role, content) pairs.

        The same key with the same body gives the same row, marked `repeated`. Raises InvalidText,
        InvalidDemonstration, UnknownCandidate or IdempotencyConflict, and then stores nothing.
        """
        body = demonstrations.DemonstrationBody(
            person=person,
            messages=tuple(messages),
            conversation_id=conversation_id,
            candidate=candidate,
            source=source,
            idempotency_key=idempotency_key,
        )
        with self._writing("rankings") as session:
            return demonstrations.add(session, body)

    def waiting_demonstrations(self) -> Waiting:
        """The consented demonstrations that no finished round has used yet."""
        with self._reading() as session:
            return demonstrations.waiting(session)

    def training_demonstrations(self) -> list[StoredDemonstration]:
        """Every consented demonstration, oldest first."""
        with self._reading() as session:
            return demonstrations.consented(session)
