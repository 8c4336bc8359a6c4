"""Marks: what a person thinks of one answer by itself, a thumb or a rating by some criterion.

They are appended and never edited: a person's later mark of an answer by a criterion supersedes the
earlier one. Which criteria there are, and how far ratings go, is the caller's to know.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from . import consents, lease
from .conversations import answered_by, check_name, messages_of
from .database import now
from .errors import InvalidMark, StoreError
from .inputs import was_left_out
from .preferences import IMPORTED, THUMB, Answer, MarkedPrompt
from .records import Claim, StoredMark, Waiting
from .retries import stored_before
from .tables import Candidate, Generation, Mark, Round, RoundMark


@dataclass(frozen=True)
class MarkBody:
    """What a person said of a candidate, by criterion; a thumb is the criterion `thumb`, 1 or 0."""

    person: str
    candidate: str
    values: Mapping[str, float]
    idempotency_key: str | None = None
    comment: str | None = None

    def digest(self) -> str:
        """The same for a retry, another for another body."""
        said = json.dumps([self.candidate, sorted(self.values.items()), self.comment])
        return hashlib.sha256(said.encode()).hexdigest()


def add(session: Session, body: MarkBody) -> StoredMark:
    """Append a row for each criterion, or find those that this is a retry of.

    Raises InvalidText, InvalidMark, UnknownCandidate or IdempotencyConflict.
    """
    _check(body)
    earlier = stored_before(session, Mark, body)
    if earlier:
        return _stored(earlier, repeated=True)
    generation = answered_by(session, body.candidate)
    rows = [_row(session, body, generation, criterion) for criterion in body.values]
    session.add_all(rows)
    session.flush()
    return _stored(rows)


def _check(body: MarkBody) -> None:
    check_name("user", body.person)
    check_name("candidate", body.candidate)
    if body.idempotency_key is not None:
        check_name("idempotency_key", body.idempotency_key)
    if not body.values:
        raise InvalidMark("there is no mark", param="ratings", value={})
    for criterion, value in body.values.items():
        check_name("ratings", criterion)
        if not math.isfinite(value):
            message = f"the mark by {criterion!r} must be a finite number, not {value!r}"
            raise InvalidMark(message, param="ratings", value=value)


def _row(session: Session, body: MarkBody, generation: Generation, criterion: str) -> Mark:
    earlier = session.exec(
        select(func.max(Mark.id)).where(
            Mark.person == body.person,
            Mark.candidate_id == body.candidate,
            Mark.criterion == criterion,
        )
    ).one()
    return Mark(
        person=body.person,
        candidate_id=body.candidate,
        criterion=criterion,
        value=body.values[criterion],
        prompt_digest=generation.prompt_digest,
        comment=body.comment,
        consented=generation.consented and consents.holds(session, body.person),
        supersedes=earlier,
        idempotency_key=body.idempotency_key,
        body_digest=body.digest(),
        created_at=now(session.connection()),
    )


def _stored(rows: Sequence[Mark], *, repeated: bool = False) -> StoredMark:
    first = rows[0]
    assert first.id is not None
    return StoredMark(
        id=first.id,
        person=first.person,
        candidate=first.candidate_id,
        values={row.criterion: row.value for row in rows},
        supersedes={row.criterion: row.supersedes for row in rows if row.supersedes is not None},
        created_at=first.created_at,
        comment=first.comment,
        repeated=repeated,
    )


# What rounds learn from


def _learnable(criteria: Iterable[str]) -> ColumnElement[bool]:
    """By one of these criteria, and to be learned from."""
    return standing() & col(Mark.criterion).in_([*criteria])


def standing() -> ColumnElement[bool]:
    """Consented, not taken back, and its person's last word."""
    later = aliased(Mark)
    replaced = exists().where(col(later.supersedes) == col(Mark.id))
    kept = col(Mark.deleted_at).is_(None) & ~replaced
    willing = consents.willing(col(Mark.person))
    return (
        col(Mark.consented) & kept & willing & consents.asked_by_the_willing(col(Mark.candidate_id))
    )


def prompts(session: Session, criteria: Iterable[str]) -> list[MarkedPrompt]:
    """One person's marks of one prompt's answers by these criteria, together; by their first."""
    rows = session.exec(
        select(Mark, Candidate, Generation)
        .join(Candidate, col(Candidate.id) == Mark.candidate_id)
        .join(Generation, col(Generation.id) == Candidate.generation_id)
        .where(_learnable(criteria))
        .order_by(col(Mark.id))
    )
    groups: dict[tuple[str, str], list[tuple[Mark, Candidate, Generation]]] = defaultdict(list)
    for mark, candidate, generation in rows:
        if candidate.token_ids or generation.version == IMPORTED:
            groups[mark.person, mark.prompt_digest].append((mark, candidate, generation))
    return [_marked(group) for group in groups.values()]


def _marked(group: Sequence[tuple[Mark, Candidate, Generation]]) -> MarkedPrompt:
    candidates = {candidate.id: (candidate, generation) for _, candidate, generation in group}
    said: dict[str, dict[str, float]] = defaultdict(dict)
    for mark, _, _ in group:
        said[mark.criterion][mark.candidate_id] = mark.value
    asked = group[0][2]
    return MarkedPrompt(
        mark_ids=tuple(mark.id for mark, _, _ in group if mark.id is not None),
        conversation_id=asked.conversation_id,
        person=group[0][0].person,
        split=asked.split,
        messages=messages_of(asked),
        prompt_ids=asked.prompt_ids,
        answers=tuple(
            Answer(candidate.id, candidate.text, candidate.token_ids, generation.version)
            for candidate, generation in candidates.values()
        ),
        values={
            criterion: tuple(values.get(id) for id in candidates)
            for criterion, values in said.items()
        },
    )


def waiting_thumbs(session: Session) -> Waiting:
    """How many groups of thumbs, one person's of one prompt, no finished round has used, and how
    old the oldest is.
    """
    used = exists().where(
        col(RoundMark.mark_id) == col(Mark.id),
        col(Round.id) == col(RoundMark.round_id),
        col(Round.state) == "done",
    )
    groups = (
        select(func.min(Mark.created_at).label("since"))
        .where(_learnable([THUMB]), ~used, ~was_left_out("mark", col(Mark.id)))
        .group_by(col(Mark.person), col(Mark.prompt_digest))
        .subquery()
    )
    count, oldest = session.exec(select(func.count(), func.min(groups.c.since))).one()
    if oldest is None:
        return Waiting(0, None)
    return Waiting(count, max(0.0, now(session.connection()) - oldest))


def use(session: Session, claim: Claim, ids: Sequence[int]) -> None:
    """Write down which marks the round learns from; again is harmless.

    Raises LeaseLost, StoreError.
    """
    lease.fence(session, claim)
    known = session.exec(
        select(RoundMark.mark_id).where(RoundMark.round_id == claim.round_id)
    ).all()
    allowed = set(session.exec(select(Mark.id).where(col(Mark.consented))).all())
    for id in sorted(set(ids) - set(known)):
        if id not in allowed:
            message = f"mark {id} is unknown, or its people did not consent to training"
            raise StoreError(message, param="marks", value=id)
        session.add(RoundMark(round_id=claim.round_id, mark_id=id))
