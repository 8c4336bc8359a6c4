"""What the holder of a person's own key may see and speak of: answers that were given to that
person. The owner, who speaks for anybody, is not asked."""

from __future__ import annotations

from collections.abc import Sequence

from feedback.errors import UnknownCandidate
from feedback.records import StoredCandidate

from ..serving import Serving
from . import callers

DAY_S = 86400.0


def check(
    serving: Serving, candidates: Sequence[str] | None, completion_id: str | None = None
) -> None:
    """Raises the error of an id that does not exist for answers that were another's, and NotIssued
    for those that were given too long ago to be judged."""
    person = callers.current().person
    if person is not None:
        within_s = serving.settings.server.ranking_days * DAY_S
        serving.store.check_issued(person, candidates, completion_id, within_s=within_s)


def check_task(serving: Serving, task_id: str) -> None:
    """Raises the error of an item that does not exist for one that the person was never given."""
    person = callers.current().person
    if person is not None:
        serving.store.check_task_issued(person, task_id)


def candidate(serving: Serving, id: str) -> StoredCandidate:
    """The answer; raises UnknownCandidate for another's, unless the key reads everybody's."""
    stored, caller = serving.store.candidate(id), callers.current()
    if caller.person not in (None, stored.person) and not caller.has("read"):
        raise UnknownCandidate(f"no candidate has the id {id!r}", param="candidate", value=id)
    return stored
