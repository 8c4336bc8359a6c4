"""The labelling queue."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from random import Random

from .. import handing, labels, prompts, tasks
from ..labelling import Gold, Imported, Item, Progress, PromptSet, PromptSource, Terms, Turns
from ..rankings import RankingBody, Told
from ..records import StoredRanking
from .transactions import Transactions

LOCK = "rankings"
"""An item's ranking is a ranking: whoever takes one back waits for both."""


class Tasks(Transactions):
    """The labelling queue."""

    # What there is to label.

    def add_prompts(
        self, name: str, messages: Sequence[Turns], *, person: str, criteria: Sequence[str] = ()
    ) -> Imported:
        """Append to a prompt set what it does not have yet, to be ranked by each of these criteria,
        as a whole without any; raises InvalidText or InvalidPrompt, and then stores nothing.
        """
        with self._writing(LOCK) as session:
            return prompts.add(session, name, messages, person, criteria)

    def prompt_sets(self) -> list[PromptSet]:
        """Every set of imported prompts, by name, and how far it is."""
        with self._reading() as session:
            return prompts.sets(session)

    def next_source(self, version: str) -> PromptSource | None:
        """The prompt that this version should answer next for the queue, if there is any."""
        with self._reading() as session:
            return prompts.next_source(session, version)

    def draw_prompt(self, chance: Random) -> PromptSource | None:
        """Any prompt that somebody imported, or asked and consented; None if there is none."""
        with self._reading() as session:
            return prompts.draw(session, chance)

    def add_task(
        self,
        source: PromptSource,
        candidates: Sequence[str],
        *,
        version: str,
        wanted: int,
        shows: int | None = None,
    ) -> int:
        """Let a prompt's answers be ranked by so many people; 0 only remembers that this version
        was asked. With `shows` so many of the answers are, chosen once heads have scored all, or as
        they come when the item is given before. One item for each of the prompt's criteria; returns
        the first's id.
        """
        with self._writing(LOCK) as session:
            return tasks.add(session, source, candidates, version, wanted, shows)

    def add_gold(
        self,
        *,
        candidates: Sequence[str] | None = None,
        completion_id: str | None = None,
        ranks: Sequence[int | None],
    ) -> Gold:
        """Let everybody be given these answers once, to see whether they rank them so.

        Raises InvalidRanking, UnknownCandidate or DifferentPrompts.
        """
        body = RankingBody("gold", candidates, completion_id, ranks, False, None, None, None, None)
        with self._writing(LOCK) as session:
            return tasks.add_gold(session, body)

    def gold(self) -> list[Gold]:
        """Every gold item, oldest first."""
        with self._reading() as session:
            return tasks.gold(session)

    # Handing out and taking back.

    def next_task(
        self, person: str, terms: Terms, chance: Random, besides: Collection[int] = ()
    ) -> Item | None:
        """The item that is the person's already and none of `besides`, else the next one, from now
        on theirs. None if there is none; raises InvalidText.
        """
        with self._writing(LOCK) as session:
            return handing.give(session, person, terms, chance, besides)

    def answer_task(
        self,
        *,
        person: str,
        task_id: str,
        candidates: Sequence[str] | None = None,
        completion_id: str | None = None,
        ranks: Sequence[int | None],
        none_acceptable: bool = False,
        ratings: Mapping[str, Sequence[float | None]] | None = None,
        comment: str | None = None,
        idempotency_key: str | None = None,
        told: Told | None = None,
        criterion: str | None = None,
    ) -> StoredRanking:
        """Append a ranking of an item that the person was given, which is done then. The item says
        by which criterion.

        Raises what `add_ranking` raises, UnknownTask or NotIssued, and then stores nothing.
        """
        body = RankingBody(
            person=person,
            candidates=candidates,
            completion_id=completion_id,
            ranks=ranks,
            none_acceptable=none_acceptable,
            ratings=ratings,
            comment=comment,
            task_id=task_id,
            idempotency_key=idempotency_key,
            told=told or Told(),
            criterion=criterion,
        )
        with self._writing(LOCK) as session:
            return handing.answer(session, body)

    def skip_task(self, task_id: str, *, person: str, reason: str) -> None:
        """The person will not rank the item, and is not given it again; again is harmless.

        Raises UnknownTask or NotIssued.
        """
        with self._writing(LOCK) as session:
            handing.skip(session, task_id, person, reason)

    def renew_task(self, task_id: str, *, person: str, lease_s: float) -> float:
        """The item stays with the person for so many seconds more, which are returned.

        Raises UnknownTask or NotIssued.
        """
        with self._writing(LOCK) as session:
            return handing.renew(session, task_id, person, lease_s)

    def ready_tasks(self, person: str, version: str | None = None) -> int:
        """How many items the person could be given at once; of those made for this version, if one
        is named.
        """
        with self._reading() as session:
            return labels.ready(session, person, version)

    def labelling_progress(self, person: str, since: float) -> Progress:
        """How far the person is, and how many items wait for them."""
        with self._reading() as session:
            return labels.progress(session, person, since)
