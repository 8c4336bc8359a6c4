"""Generations and their candidates: what was asked, what was answered, and by which version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, select

from . import consents
from .errors import InvalidText, NotFound, UnknownCandidate
from .preferences import IMPORTED, first_user_message, split_of
from .records import CandidateRecord, GenerationRecord, LoggedPrompt, StoredCandidate
from .tables import Candidate, Generation

NAME_LIMIT = 256


def check_name(param: str, value: str) -> str:
    """The value, if it can be a name: 1 to 256 characters, none of them U+0000 or half of a
    surrogate pair.
    """
    if not 1 <= len(value) <= NAME_LIMIT:
        message = f"{param} must have 1 to {NAME_LIMIT} characters, not {len(value)}"
        raise InvalidText(message, param=param, value=value)
    if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value):
        message = f"{param} must not hold U+0000 or half of a surrogate pair"
        raise InvalidText(message, param=param, value=value)
    return value


def record(session: Session, record: GenerationRecord) -> None:
    """Append a generation with its candidates; which side of the split it is on is settled here,
    for good, and so is whether its person consents.
    """
    check_name("user", record.person)
    check_name("conversation_id", record.conversation_id)
    consented = record.consented and consents.holds(session, record.person)
    session.add(_generation_row(record, consented))
    session.flush()
    for candidate in record.candidates:
        session.add(_candidate_row(candidate, record.id))


def _generation_row(record: GenerationRecord, consented: bool) -> Generation:
    return Generation(
        id=record.id,
        conversation_id=record.conversation_id,
        person=record.person,
        consented=consented,
        listed=record.listed,
        split=split_of(first_user_message(record.messages)),
        version=record.version,
        digest=record.digest,
        messages=[list(message) for message in record.messages],
        prompt_ids=record.prompt_ids,
        prompt_digest=prompt_digest(record.messages, record.prompt_ids),
        params=record.params,
        seed=record.seed,
        template_hash=record.template_hash,
        created_at=record.created_at,
    )


def _candidate_row(candidate: CandidateRecord, generation_id: str) -> Candidate:
    assert len(candidate.token_ids) == len(candidate.logps) == len(candidate.raw_logps), (
        "every token has both log-probabilities"
    )
    return Candidate(
        id=candidate.id,
        generation_id=generation_id,
        place=candidate.index,
        text=candidate.text,
        token_ids=candidate.token_ids,
        logps=candidate.logps,
        raw_logps=candidate.raw_logps,
        finish_reason=candidate.finish_reason,
    )


def prompt_digest(messages: tuple[tuple[str, str], ...], prompt_ids: tuple[int, ...]) -> str:
    """One value for all generations that answer the same prompt."""
    return hashlib.sha256(json.dumps([messages, prompt_ids]).encode()).hexdigest()


def generation(session: Session, id: str) -> GenerationRecord:
    """The generation as recorded; raises NotFound."""
    row = session.get(Generation, id)
    if row is None or row.deleted_at is not None:
        raise NotFound(f"no completion has the id {id!r}", param="completion_id", value=id)
    rows = session.exec(
        select(Candidate).where(Candidate.generation_id == id).order_by(col(Candidate.place))
    )
    return GenerationRecord(
        id=row.id,
        conversation_id=row.conversation_id,
        person=row.person,
        consented=row.consented,
        version=row.version,
        digest=row.digest,
        messages=messages_of(row),
        prompt_ids=row.prompt_ids,
        params=row.params,
        seed=row.seed,
        template_hash=row.template_hash,
        candidates=tuple(_candidate_record(candidate) for candidate in rows),
        created_at=row.created_at,
        listed=row.listed,
    )


def _candidate_record(row: Candidate) -> CandidateRecord:
    return CandidateRecord(
        id=row.id,
        index=row.place,
        text=row.text,
        token_ids=row.token_ids,
        logps=row.logps,
        raw_logps=row.raw_logps,
        finish_reason=row.finish_reason,
    )


def candidate(session: Session, id: str) -> StoredCandidate:
    """The candidate with its generation; raises UnknownCandidate."""
    row = session.get(Candidate, id)
    generation = None if row is None else session.get_one(Generation, row.generation_id)
    if row is None or generation is None or generation.deleted_at is not None:
        raise UnknownCandidate(f"no candidate has the id {id!r}", param="candidate", value=id)
    return StoredCandidate(
        id=row.id,
        index=row.place,
        text=row.text,
        token_ids=row.token_ids,
        logps=row.logps,
        raw_logps=row.raw_logps,
        finish_reason=row.finish_reason,
        generation_id=generation.id,
        conversation_id=generation.conversation_id,
        person=generation.person,
        consented=generation.consented,
        version=generation.version,
        digest=generation.digest,
        messages=messages_of(generation),
        prompt_ids=generation.prompt_ids,
        params=generation.params,
        seed=generation.seed,
        template_hash=generation.template_hash,
        created_at=generation.created_at,
    )


def answered_by(session: Session, candidate: str) -> Generation:
    """The generation that a candidate is of, unless its person took it back; raises
    UnknownCandidate.
    """
    generation = session.exec(
        select(Generation)
        .join(Candidate, col(Candidate.generation_id) == Generation.id)
        .where(Candidate.id == candidate, col(Generation.deleted_at).is_(None))
    ).first()
    if generation is None:
        message = f"no candidate has the id {candidate!r}"
        raise UnknownCandidate(message, param="candidate", value=candidate)
    return generation


def messages_of(row: Generation) -> tuple[tuple[str, str], ...]:
    """(role, content) pairs."""
    return tuple((role, content) for role, content in row.messages)


def logged_prompts(session: Session, limit: int) -> list[LoggedPrompt]:
    """The last distinct prompts whose people consented, most recent first."""
    return [logged(row) for row in last_asked(session, limit)]


def logged(row: Generation) -> LoggedPrompt:
    """A generation's prompt."""
    return LoggedPrompt(row.conversation_id, row.split, messages_of(row), row.prompt_ids)


def last_asked(
    session: Session, limit: int, which: ColumnElement[bool] | None = None
) -> Sequence[Generation]:
    """The last generation of each of those prompts, or of those `which` are asked for; imported
    ones stand in where few were asked.
    """
    newest = func.row_number().over(
        partition_by=col(Generation.prompt_digest),
        order_by=(col(Generation.created_at).desc(), col(Generation.id).desc()),
    )
    asked = (
        select(col(Generation.id).label("id"), newest.label("place"))
        .where(
            col(Generation.consented),
            col(Generation.deleted_at).is_(None),
            consents.willing(col(Generation.person)),
        )
        .subquery()
    )
    return session.exec(
        select(Generation)
        .join(asked, col(Generation.id) == asked.c.id)
        .where(asked.c.place == 1, *([] if which is None else [which]))
        .order_by(
            col(Generation.version) == IMPORTED,
            col(Generation.created_at).desc(),
            col(Generation.id).desc(),
        )
        .limit(limit)
    ).all()
