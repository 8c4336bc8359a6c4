"""Lines of our own format as rows, as they were: with their ids, tokens, times and retries' keys.

In an empty database numbers stay as they are; where they are taken the next ones are given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, text
from sqlmodel import Session, col, select

from . import conversations, rankings, training
from .conversations import check_name
from .demonstrations import SOURCES, check_turns
from .exchange import own, reading
from .exchange.values import UnreadableLine
from .preferences import first_user_message, split_of
from .records import CandidateRecord, GenerationRecord
from .tables import Candidate, Consent, Demonstration, Generation, Mark, RankedCandidate, Ranking

Fields = Mapping[str, Any]

NUMBERED = (Ranking, Mark, Demonstration)

SKIPPED = 10**6
"""Numbers that one line may leave out: a file must not use all of them up."""


def restore(session: Session, row: Fields) -> bool:
    """Store what the line tells; False where the very same is on record, or it tells nothing.

    Raises UnreadableLine, StoreError.
    """
    kind = row.get("type")
    if kind == own.FORMAT:
        return False
    restorer = RESTORERS.get(kind) if isinstance(kind, str) else None
    if restorer is None:
        known = ", ".join(RESTORERS)
        raise UnreadableLine(f"type must be one of {known}, not {reading.shown(kind)}")
    return restorer(session, row)


def _generation(session: Session, row: Fields) -> bool:
    id = check_name("id", reading.text(row, "id"))
    there = session.get(Generation, id)
    if there is not None:
        if there.deleted_at is None and _same(session, there, row):
            return False
        raise UnreadableLine(f"another request has the id {id!r}, or it was taken back")
    record = GenerationRecord(
        id=id,
        conversation_id=check_name("conversation_id", reading.text(row, "conversation_id")),
        person=check_name("person", reading.text(row, "person")),
        consented=own.flag(row, "consented"),
        version=_label(row, "version"),
        digest=_label(row, "digest"),
        messages=own.messages(row),
        prompt_ids=own.wholes(row, "prompt_ids"),
        params=own.params(row),
        seed=own.whole(row.get("seed"), "seed", 2**63),
        template_hash=_label(row, "template_hash"),
        candidates=tuple(_candidate(given) for given in reading.items(row, "candidates")),
        created_at=reading.number(row.get("created_at"), "created_at"),
        listed=own.flag(row, "listed"),
    )
    conversations.record(session, record)
    session.flush()
    return True


def _same(session: Session, there: Generation, row: Fields) -> bool:
    given = session.exec(
        select(Candidate).where(Candidate.generation_id == there.id).order_by(col(Candidate.place))
    ).all()
    return own.write_generation(there, given).items() <= dict(row).items()


def _candidate(given: Any) -> CandidateRecord:
    row = reading.mapping(given, "a candidate")
    record = CandidateRecord(
        id=check_name("a candidate's id", reading.text(row, "id")),
        index=own.whole(row.get("index"), "index"),
        text=reading.text(row, "text"),
        token_ids=own.wholes(row, "token_ids"),
        logps=own.logps(row, "logps"),
        raw_logps=own.logps(row, "raw_logps"),
        finish_reason=_label(row, "finish_reason"),
    )
    if not len(record.token_ids) == len(record.logps) == len(record.raw_logps):
        raise UnreadableLine(f"{record.id!r} must have both log-probabilities of each token")
    return record


def _ranking(session: Session, row: Fields) -> bool:
    ranked, ratings = own.ranked(row), own.ratings(row)
    ids, ranks = [id for id, _ in ranked], tuple(rank for _, rank in ranked)
    pairs = rankings.named(session, ids)
    rankings.check_ranks(ranks, len(pairs))
    rankings.check_ratings(ratings or {}, len(pairs))
    rankings.check_one_prompt(pairs)
    digest, person = rankings.candidates_digest(ids), _person(row)
    at, criterion = reading.number(row.get("created_at"), "created_at"), _name(row, "criterion")
    there = select(Ranking.id).where(
        Ranking.person == person,
        Ranking.candidates_digest == digest,
        Ranking.created_at == at,
        col(Ranking.criterion).is_not_distinct_from(criterion),
    )
    if session.exec(there).first() is not None:
        return False
    generation = pairs[0][1]
    restored = Ranking(
        **_appended(session, Ranking, row),
        conversation_id=generation.conversation_id,
        split=generation.split,
        consented=own.flag(row, "consented") and all(asked.consented for _, asked in pairs),
        comparable=sum(rank is not None for rank in ranks) >= 2,
        criterion=criterion,
        none_acceptable=own.flag(row, "none_acceptable"),
        ratings=ratings,
        comment=own.maybe(row, "comment"),
        task_id=_name(row, "task_id"),
        **own.told(row),
        candidates_digest=digest,
        supersedes=rankings.active(session, person, digest, criterion),
    )
    session.add(restored)
    session.flush()
    assert restored.id is not None
    for place, (id, rank) in enumerate(ranked):
        session.add(
            RankedCandidate(ranking_id=restored.id, place=place, candidate_id=id, rank=rank)
        )
    session.flush()
    training.enqueue(session, restored)
    return True


def _mark(session: Session, row: Fields) -> bool:
    person, candidate = _person(row), reading.text(row, "candidate")
    criterion = check_name("criterion", reading.text(row, "criterion"))
    at = reading.number(row.get("created_at"), "created_at")
    same = (
        Mark.person == person,
        Mark.candidate_id == candidate,
        Mark.criterion == criterion,
    )
    if session.exec(select(Mark.id).where(*same, Mark.created_at == at)).first() is not None:
        return False
    generation = conversations.answered_by(session, candidate)
    session.add(
        Mark(
            **_appended(session, Mark, row),
            candidate_id=candidate,
            criterion=criterion,
            value=reading.number(row.get("value"), "value"),
            comment=own.maybe(row, "comment"),
            prompt_digest=generation.prompt_digest,
            consented=own.flag(row, "consented") and generation.consented,
            supersedes=session.exec(select(func.max(Mark.id)).where(*same)).one(),
        )
    )
    session.flush()
    return True


def _demonstration(session: Session, row: Fields) -> bool:
    person, messages, source = _person(row), own.messages(row), reading.text(row, "source")
    check_turns(messages)
    if source not in SOURCES:
        raise UnreadableLine(f"source must be one of {', '.join(SOURCES)}, not {source!r}")
    at, digest = reading.number(row.get("created_at"), "created_at"), _digest(row)
    there = select(Demonstration.id).where(
        Demonstration.person == person,
        Demonstration.body_digest == digest,
        Demonstration.created_at == at,
    )
    if session.exec(there).first() is not None:
        return False
    candidate = own.maybe(row, "candidate")
    consented = candidate is None or conversations.answered_by(session, candidate).consented
    session.add(
        Demonstration(
            **_appended(session, Demonstration, row),
            conversation_id=check_name("conversation_id", reading.text(row, "conversation_id")),
            split=split_of(first_user_message(messages)),
            consented=own.flag(row, "consented") and consented,
            source=source,
            messages=[list(turn) for turn in messages],
            candidate_id=candidate,
        )
    )
    session.flush()
    return True


def _consent(session: Session, row: Fields) -> bool:
    told = Consent(
        person=_person(row),
        text_version=check_name("version", reading.text(row, "version")),
        given=own.flag(row, "given"),
        at=reading.number(row.get("created_at"), "created_at"),
    )
    there = select(Consent.id).where(Consent.person == told.person, Consent.at == told.at)
    if session.exec(there).first() is not None:
        return False
    session.add(told)
    session.flush()
    return True


RESTORERS: Mapping[str, Callable[[Session, Fields], bool]] = {
    "generation": _generation,
    "ranking": _ranking,
    "mark": _mark,
    "demonstration": _demonstration,
    "consent": _consent,
}


def _appended(session: Session, table: Any, row: Fields) -> dict[str, Any]:
    """The fields that all that is appended has."""
    return {
        "id": _number(session, table, row),
        "person": _person(row),
        "created_at": reading.number(row.get("created_at"), "created_at"),
        "idempotency_key": _name(row, "idempotency_key"),
        "body_digest": _digest(row),
    }


def _number(session: Session, table: Any, row: Fields) -> int:
    """The row's number, if it is higher than all that there are: a later row must have a higher
    one, or it would not supersede what came before.
    """
    last = session.exec(select(func.max(table.id))).one() or 0
    told = own.whole(row.get("number"), "number")
    return told if last < told <= last + SKIPPED else last + 1


def _person(row: Fields) -> str:
    return check_name("person", reading.text(row, "person"))


def _name(row: Fields, key: str) -> str | None:
    value = own.maybe(row, key)
    return None if value is None else check_name(key, value)


def _label(row: Fields, key: str) -> str:
    """A name, or the empty text of what was imported."""
    value = reading.text(row, key)
    return check_name(key, value) if value else value


def _digest(row: Fields) -> str:
    return check_name("body_digest", reading.text(row, "body_digest"))


def go_on_numbering(session: Session) -> None:
    """Have PostgreSQL give the numbers after those that came with rows; SQLite does by itself."""
    if session.connection().dialect.name != "postgresql":
        return
    names: Sequence[str] = [str(table.__tablename__) for table in NUMBERED]
    for name in names:
        session.connection().execute(
            text(
                f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name} "
                "HAVING max(id) IS NOT NULL"
            )
        )
