"""Lines of files as rows. Each line is stored whole or not at all, and none twice: a digest of what
it says is kept.

What comes in the field's formats was sampled by nobody here: its answers have no tokens, and the
version `imported`. Who learns from it encodes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from . import conversations, demonstrations, marks, rankings, restoring
from .consents import OPT_IN
from .database import now
from .errors import StoreError
from .exchange.formats import FORMATS, OWN
from .exchange.lines import NumberedLine, digest, parse
from .exchange.report import ImportReport
from .exchange.values import Compared, Judged, Said, Shown, Turns, UnreadableLine
from .preferences import IMPORTED
from .records import CandidateRecord, GenerationRecord
from .tables import ImportedLine


@dataclass(frozen=True)
class Parsed:
    """A line as an object, and its digest; `wrong` says why it is none."""

    number: int
    row: dict[str, Any]
    digest: str
    wrong: str | None = None

    @classmethod
    def of(cls, format: str, line: NumberedLine) -> Parsed:
        try:
            row = parse(line)
            return cls(line.number, row, digest(format, row))
        except UnreadableLine as error:
            return cls(line.number, {}, "", str(error))


def take(session: Session, format: str, lines: Sequence[NumberedLine], person: str) -> ImportReport:
    """Store what is new in these lines, as said by this person; our own format names its people.

    Raises InvalidText for the person.
    """
    conversations.check_name("user", person)
    session.info[OPT_IN] = False  # whoever brings a file answers for its people's consent
    parsed = [Parsed.of(format, line) for line in lines]
    known, report = _known(session, parsed), ImportReport()
    for one in parsed:
        report += _take_one(session, format, one, person, known)
    if format == OWN:
        restoring.go_on_numbering(session)
    return report


def _known(session: Session, parsed: Sequence[Parsed]) -> set[str]:
    digests = [one.digest for one in parsed]
    query = select(ImportedLine.digest).where(col(ImportedLine.digest).in_(digests))
    return set(session.exec(query).all())


def _take_one(
    session: Session, format: str, one: Parsed, person: str, known: set[str]
) -> ImportReport:
    if one.wrong is not None:
        return ImportReport.refusing(one.number, one.wrong)
    if one.digest in known:
        return ImportReport(known=1)
    try:
        with session.begin_nested():
            new = _store(session, format, one, person)
    except (UnreadableLine, StoreError) as error:
        return ImportReport.refusing(one.number, str(error))
    except IntegrityError:
        return ImportReport.refusing(one.number, "it contradicts what is on record")
    known.add(one.digest)
    return ImportReport(imported=1) if new else ImportReport(known=1)


def _store(session: Session, format: str, one: Parsed, person: str) -> bool:
    """Whether there was anything new in the line."""
    if format == OWN:
        if not restoring.restore(session, one.row):
            return False
    else:
        for place, said in enumerate(FORMATS[format].read(one.row)):
            _keep(session, said, f"import-{one.digest[:32]}-{place}", person)
    at = now(session.connection())
    session.add(ImportedLine(digest=one.digest, format=format, at=at))
    return True


def _keep(session: Session, said: Said, id: str, person: str) -> None:
    """What was said as rows of this id, which the line's digest makes its own."""
    conversation = _conversation(said.messages)
    if isinstance(said, Shown):
        body = demonstrations.DemonstrationBody(
            person, said.messages, conversation, source="imported"
        )
        demonstrations.add(session, body)
        return
    conversations.record(session, _generation(session, said, id, conversation, person))
    session.flush()
    if isinstance(said, Compared):
        rankings.add(session, _ranking(said, id, person))
    else:
        _mark(session, said, id, person)


def _conversation(messages: Turns) -> str:
    """One id for all that begin alike."""
    first = next((i for i, (role, _) in enumerate(messages) if role == "user"), 0)
    begun = json.dumps(messages[: first + 1]).encode()
    return f"import-{hashlib.sha256(begun).hexdigest()[:24]}"


def _generation(
    session: Session, said: Compared | Judged, id: str, conversation: str, person: str
) -> GenerationRecord:
    return GenerationRecord(
        id=id,
        conversation_id=conversation,
        person=person,
        consented=True,
        version=IMPORTED,
        digest="",
        messages=said.messages,
        prompt_ids=(),
        params={},
        seed=0,
        template_hash="",
        candidates=tuple(
            CandidateRecord(f"{id}-{place}", place, text, (), (), (), "stop")
            for place, text in enumerate(said.answers)
        ),
        created_at=now(session.connection()),
        listed=False,
    )


def _ranking(said: Compared, id: str, person: str) -> rankings.RankingBody:
    return rankings.RankingBody(
        person=person,
        candidates=None,
        completion_id=id,
        ranks=said.ranks,
        none_acceptable=False,
        ratings=said.ratings or None,
        comment=None,
        task_id=None,
        idempotency_key=None,
    )


def _mark(session: Session, said: Judged, id: str, person: str) -> None:
    for place in range(len(said.answers)):
        given = {name: values[place] for name, values in said.values.items()}
        values = {name: value for name, value in given.items() if value is not None}
        if values:
            marks.add(session, marks.MarkBody(person, f"{id}-{place}", values))
