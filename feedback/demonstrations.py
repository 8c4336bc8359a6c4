"""Demonstrations: what a person would have answered, or both sides of a conversation.

They are appended and never edited. One waits until a round that has used it is done; every later
fine-tuning learns from it all the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, func
from sqlmodel import Session, col, select

from . import consents, lease
from .conversations import answered_by, check_name
from .database import now
from .errors import InvalidDemonstration, StoreError
from .inputs import was_left_out
from .preferences import first_user_message, split_of
from .records import Claim, StoredDemonstration, Waiting
from .retries import stored_before
from .tables import Demonstration, Generation, Round, RoundDemonstration

SOURCES = ("written", "edited", "both_sides", "imported")

Turns = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class DemonstrationBody:
    """What a person sent: (role, content) pairs, and the candidate that they edited, if any.

    Without a source it is "edited" where there is a candidate, else "both_sides" where there are
    several answers, else "written".
    """

    person: str
    messages: Turns
    conversation_id: str
    candidate: str | None = None
    source: str | None = None
    idempotency_key: str | None = None

    @property
    def told_source(self) -> str:
        if self.source is not None:
            return self.source
        if self.candidate is not None:
            return "edited"
        answers = sum(role == "assistant" for role, _ in self.messages)
        return "both_sides" if answers > 1 else "written"

    def digest(self) -> str:
        """The same for a retry, another for another body."""
        said = [self.messages, self.conversation_id, self.candidate, self.source]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def add(session: Session, body: DemonstrationBody) -> StoredDemonstration:
    """Append a demonstration, or find the one that this is a retry of.

    Raises InvalidText, InvalidDemonstration, UnknownCandidate or IdempotencyConflict.
    """
    _check_names(body)
    check_turns(body.messages)
    if body.source is not None and body.source not in SOURCES:
        message = f"a source is one of {', '.join(SOURCES)}, not {body.source!r}"
        raise InvalidDemonstration(message, param="source", value=body.source)
    earlier = stored_before(session, Demonstration, body)
    if earlier:
        return _stored(earlier[0], repeated=True)
    row = _row(session, body)
    session.add(row)
    session.flush()
    return _stored(row)


def _check_names(body: DemonstrationBody) -> None:
    check_name("user", body.person)
    for param in ("conversation_id", "candidate", "idempotency_key"):
        value = getattr(body, param)
        if value is not None:
            check_name(param, value)


def check_turns(messages: Turns) -> None:
    """At most one system turn, then user and assistant in turn, the user first, and at least one
    answer, none of them blank; raises InvalidDemonstration.
    """
    system = 1 if messages and messages[0][0] == "system" else 0
    for place, (role, content) in enumerate(messages[system:], system):
        wanted = ("user", "assistant")[(place - system) % 2]
        if role != wanted:
            message = (
                f"messages[{place}] has the role {role!r} where {wanted!r} is due: after a system "
                "turn, if any, user and assistant take turns, the user first"
            )
            raise InvalidDemonstration(message, param=f"messages[{place}].role", value=role)
        if role == "assistant" and not content.strip():
            message = f"messages[{place}] is a blank answer: say what should have been answered"
            raise InvalidDemonstration(message, param=f"messages[{place}].content", value=content)
    if len(messages) < system + 2:
        message = "there is no assistant turn, so nothing to learn: add the ideal answer"
        raise InvalidDemonstration(message, param="messages", value=list(messages))


def _row(session: Session, body: DemonstrationBody) -> Demonstration:
    edited = None if body.candidate is None else _edited(session, body.candidate, body.messages)
    return Demonstration(
        person=body.person,
        conversation_id=body.conversation_id,
        split=split_of(first_user_message(body.messages)),
        consented=(edited is None or edited.consented) and consents.holds(session, body.person),
        source=body.told_source,
        messages=[list(message) for message in body.messages],
        candidate_id=body.candidate,
        idempotency_key=body.idempotency_key,
        body_digest=body.digest(),
        created_at=now(session.connection()),
    )


def _edited(session: Session, id: str, messages: Turns) -> Generation:
    """The generation of the edited candidate; it began with the same user message, or this is no
    edit of it.
    """
    generation = answered_by(session, id)
    asked = first_user_message((role, content) for role, content in generation.messages)
    if first_user_message(messages) != asked:
        message = (
            f"{id!r} answers a conversation that begins with another user message: send that "
            "conversation with the answer edited, or leave candidate out"
        )
        raise InvalidDemonstration(message, param="candidate", value=id)
    return generation


def _stored(row: Demonstration, *, repeated: bool = False) -> StoredDemonstration:
    assert row.id is not None
    return StoredDemonstration(
        id=row.id,
        person=row.person,
        conversation_id=row.conversation_id,
        split=row.split,
        consented=row.consented,
        source=row.source,
        messages=tuple((role, content) for role, content in row.messages),
        candidate_id=row.candidate_id,
        created_at=row.created_at,
        repeated=repeated,
    )


def learnable() -> ColumnElement[bool]:
    """Consented, and not taken back."""
    kept = col(Demonstration.deleted_at).is_(None)
    willing = consents.willing(col(Demonstration.person))
    edited = consents.asked_by_the_willing(col(Demonstration.candidate_id))
    return col(Demonstration.consented) & kept & willing & edited


def consented(session: Session) -> list[StoredDemonstration]:
    """Every demonstration to learn from, oldest first."""
    rows = session.exec(select(Demonstration).where(learnable()).order_by(col(Demonstration.id)))
    return [_stored(row) for row in rows]


def waiting(session: Session) -> Waiting:
    """How many consented demonstrations no finished round has used, and how old the oldest is."""
    count, oldest = session.exec(
        select(func.count(), func.min(Demonstration.created_at)).where(
            learnable(), ~_used(), ~was_left_out("demonstration", col(Demonstration.id))
        )
    ).one()
    if oldest is None:
        return Waiting(0, None)
    return Waiting(count, max(0.0, now(session.connection()) - oldest))


def _used() -> ColumnElement[bool]:
    """By a round that is done; one that failed or was cancelled has used nothing."""
    return exists().where(
        col(RoundDemonstration.demonstration_id) == col(Demonstration.id),
        col(Round.id) == col(RoundDemonstration.round_id),
        col(Round.state) == "done",
    )


def use(session: Session, claim: Claim, ids: Sequence[int]) -> None:
    """Write down which demonstrations the round learns from; again is harmless.

    Raises LeaseLost, StoreError.
    """
    lease.fence(session, claim)
    known = session.exec(
        select(RoundDemonstration.demonstration_id).where(
            RoundDemonstration.round_id == claim.round_id
        )
    ).all()
    allowed = set(session.exec(select(Demonstration.id).where(col(Demonstration.consented))).all())
    for id in sorted(set(ids) - set(known)):
        if id not in allowed:
            message = f"demonstration {id} is unknown, or its people did not consent to training"
            raise StoreError(message, param="demonstrations", value=id)
        session.add(RoundDemonstration(round_id=claim.round_id, demonstration_id=id))


def counts(session: Session, rounds: Sequence[int | None]) -> dict[int, int]:
    """How many demonstrations each of these rounds used, where it used any."""
    return dict(
        session.exec(
            select(RoundDemonstration.round_id, func.count())
            .where(col(RoundDemonstration.round_id).in_(rounds))
            .group_by(col(RoundDemonstration.round_id))
        ).all()
    )
