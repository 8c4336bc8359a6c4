"""What people said as lines, page by page: each page is a transaction, so that a reader who is slow
holds none open.

The field's formats get what a round would learn from: consented, comparable, each person's last
word. Our own has every row, but for those that their people took back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import tuple_
from sqlmodel import Session, col, select

from . import demonstrations, marks, training
from .exchange import own
from .exchange.formats import FORMATS, OWN, Format
from .exchange.values import Compared, Judged, Said, Shown, Turns
from .exchange.writing import Line
from .preferences import THUMB, RankedPrompt
from .tables import Candidate, Consent, Demonstration, Generation, Mark, RankedCandidate, Ranking

PAGE = 200
"""Rows read in one transaction."""


@dataclass(frozen=True)
class Page:
    """Lines, and where the next page begins; None after the last."""

    lines: list[Line]
    after: Any


Source = Callable[[Session, Any], Page]
"""Pages of one kind of rows; the first is asked for with None."""


def sources(session: Session, format: str, person: str | None = None) -> Sequence[Source]:
    """What has to be read for a format, in order; with `person` what is theirs alone."""
    if format == OWN:
        return [
            partial(_generations, person=person),
            *(partial(read, person=person) for read in (_rankings, _marks, _demonstrations)),
            partial(_consents, person=person),
        ]
    of = FORMATS[format]
    readers: dict[type[Said], list[Source]] = {
        Compared: [partial(_compared, of=of, criteria=_criteria(session))],
        Judged: [partial(_thumbs, of=of), partial(_rated, of=of)],
        Shown: [partial(_shown, of=of)],
    }
    return [source for kind in of.holds for source in readers[kind]]


def _page(lines: Iterable[Line], keys: Sequence[Any]) -> Page:
    """The page of these rows' lines; one that is not full is the last."""
    return Page(list(lines), keys[-1] if len(keys) == PAGE else None)


# The field's formats


def _compared(session: Session, after: int | None, *, of: Format, criteria: Sequence[str]) -> Page:
    ids = training.ids_after(session, after or 0, PAGE)
    ranked = training.rankings(session, training.of(ids))
    said = (_of_ranked(one, criteria) for one in ranked)
    return _page(_written(of, said), ids)


def _of_ranked(ranked: RankedPrompt, criteria: Sequence[str]) -> Compared:
    """The ranking with a place for every criterion: programs infer types from the first lines."""
    given, nothing = ranked.ratings or {}, (None,) * len(ranked.answers)
    return Compared(
        ranked.messages,
        tuple(answer.text for answer in ranked.answers),
        ranked.ranks,
        {name: tuple(given.get(name, nothing)) for name in criteria},
    )


def _criteria(session: Session) -> list[str]:
    """All that anything was rated by."""
    marked = session.exec(select(Mark.criterion).where(marks.standing()).distinct()).all()
    ratings = session.exec(select(Ranking.ratings).where(training.learnable())).all()
    names = {*marked, *(name for given in ratings if given for name in given)}
    return sorted(names - {THUMB})


def _thumbs(session: Session, after: int | None, *, of: Format) -> Page:
    """Each by itself."""
    rows = session.exec(
        select(Mark, Candidate.text, Generation.messages)
        .join(Candidate, col(Candidate.id) == Mark.candidate_id)
        .join(Generation, col(Generation.id) == Candidate.generation_id)
        .where(marks.standing(), Mark.criterion == THUMB, col(Mark.id) > (after or 0))
        .order_by(col(Mark.id))
        .limit(PAGE)
    ).all()
    said = (
        Judged(_turns(messages), (text,), {THUMB: (mark.value,)}) for mark, text, messages in rows
    )
    return _page(_written(of, said), [mark.id for mark, _, _ in rows])


def _rated(session: Session, after: int | None, *, of: Format) -> Page:
    """One person's ratings of one request's answers together, all in one page."""
    rows = session.exec(
        select(Mark, Candidate, Generation)
        .join(Candidate, col(Candidate.id) == Mark.candidate_id)
        .join(Generation, col(Generation.id) == Candidate.generation_id)
        .where(marks.standing(), Mark.criterion != THUMB)
        .order_by(col(Mark.id))
    )
    groups: dict[tuple[str, str], list[tuple[Mark, Candidate, Generation]]] = {}
    for mark, candidate, generation in rows:
        groups.setdefault((mark.person, generation.id), []).append((mark, candidate, generation))
    criteria = _criteria(session)
    return Page(list(_written(of, (_of_marks(g, criteria) for g in groups.values()))), None)


def _of_marks(
    group: Sequence[tuple[Mark, Candidate, Generation]], criteria: Sequence[str]
) -> Judged:
    texts = {candidate.id: candidate.text for _, candidate, _ in group}
    said = {(mark.candidate_id, mark.criterion): mark.value for mark, _, _ in group}
    values = {name: tuple(said.get((id, name)) for id in texts) for name in criteria}
    return Judged(_turns(group[0][2].messages), tuple(texts.values()), values)


def _shown(session: Session, after: int | None, *, of: Format) -> Page:
    rows = session.exec(
        select(Demonstration)
        .where(demonstrations.learnable(), col(Demonstration.id) > (after or 0))
        .order_by(col(Demonstration.id))
        .limit(PAGE)
    ).all()
    said = (Shown(_answered(_turns(row.messages))) for row in rows)
    return _page(_written(of, said), [row.id for row in rows])


def _turns(messages: Sequence[Sequence[str]]) -> Turns:
    return tuple((role, content) for role, content in messages)


def _answered(turns: Turns) -> Turns:
    """Up to the last answer, which is as far as anything is learned."""
    return turns if turns[-1][0] == "assistant" else turns[:-1]


def _written(of: Format, said: Iterable[Said]) -> Iterator[Line]:
    for one in said:
        yield from of.write(one)


# Our own format


def _generations(session: Session, after: tuple[float, str] | None, *, person: str | None) -> Page:
    query = select(Generation).where(col(Generation.deleted_at).is_(None))
    if person is not None:
        query = query.where(Generation.person == person)
    if after is not None:
        place = tuple_(col(Generation.created_at), col(Generation.id))
        query = query.where(place > tuple_(*after))
    order = col(Generation.created_at), col(Generation.id)
    rows = session.exec(query.order_by(*order).limit(PAGE)).all()
    given: dict[str, list[Candidate]] = {row.id: [] for row in rows}
    for candidate in session.exec(
        select(Candidate)
        .where(col(Candidate.generation_id).in_(given))
        .order_by(col(Candidate.generation_id), col(Candidate.place))
    ):
        given[candidate.generation_id].append(candidate)
    lines = [own.write_generation(row, given[row.id]) for row in rows]
    return _page(lines, [(row.created_at, row.id) for row in rows])


def _rankings(session: Session, after: int | None, *, person: str | None) -> Page:
    rows: Sequence[Ranking] = _appended(session, Ranking, after, person)
    entries: dict[int | None, list[RankedCandidate]] = {row.id: [] for row in rows}
    for entry in session.exec(
        select(RankedCandidate)
        .where(col(RankedCandidate.ranking_id).in_(entries))
        .order_by(col(RankedCandidate.ranking_id), col(RankedCandidate.place))
    ):
        entries[entry.ranking_id].append(entry)
    lines = [own.write_ranking(row, entries[row.id]) for row in rows]
    return _page(lines, [row.id for row in rows])


def _marks(session: Session, after: int | None, *, person: str | None) -> Page:
    rows: Sequence[Mark] = _appended(session, Mark, after, person)
    return _page([own.write_mark(row) for row in rows], [row.id for row in rows])


def _demonstrations(session: Session, after: int | None, *, person: str | None) -> Page:
    rows: Sequence[Demonstration] = _appended(session, Demonstration, after, person)
    return _page([own.write_demonstration(row) for row in rows], [row.id for row in rows])


def _appended(session: Session, table: Any, after: int | None, person: str | None) -> Any:
    """The rows after that number that nobody took back, oldest first."""
    query = select(table).where(table.id > (after or 0), table.deleted_at.is_(None))
    if person is not None:
        query = query.where(table.person == person)
    return session.exec(query.order_by(table.id).limit(PAGE)).all()


def _consents(session: Session, after: int | None, *, person: str | None) -> Page:
    query = select(Consent).where(col(Consent.id) > (after or 0))
    if person is not None:
        query = query.where(Consent.person == person)
    rows = session.exec(query.order_by(col(Consent.id)).limit(PAGE)).all()
    return _page([own.write_consent(row) for row in rows], [row.id for row in rows])
