"""Rankings: what makes one valid, how a change of mind or a retry is told apart, and which wait
for a round.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func
from sqlmodel import Session, col, select

from . import consents, training
from .conversations import check_name
from .database import now
from .errors import DifferentPrompts, InvalidRanking, UnknownCandidate
from .records import StoredRanking
from .retries import stored_before
from .tables import Candidate, Generation, RankedCandidate, Ranking

CANDIDATE_LIMIT = 64
INPUTS = ("keys", "mouse", "touch")
RANK_LIMIT = 2**31 - 1


@dataclass(frozen=True)
class Told:
    """How a ranking came about, as far as that is known: the candidates in the order that they were
    shown in, whether no version was shown, how long it took, what it was given with (one of
    INPUTS), and the version of the guidelines that the person had before them.
    """

    shown: Sequence[str] | None = None
    blind: bool | None = None
    seconds: float | None = None
    input: str | None = None
    guidelines: str | None = None


@dataclass(frozen=True)
class RankingBody:
    """What a person sent: candidates by their ids, or a completion for its choices in order, ranked
    as a whole or by one criterion alone.
    """

    person: str
    candidates: Sequence[str] | None
    completion_id: str | None
    ranks: Sequence[int | None]
    none_acceptable: bool
    ratings: Mapping[str, Sequence[float | None]] | None
    comment: str | None
    task_id: str | None
    idempotency_key: str | None
    told: Told = Told()
    criterion: str | None = None

    def digest(self) -> str:
        """The same for a retry, another for another body. How it came about is no part of it: a
        retry may have taken longer. Nor is an item's criterion, which the item knows.
        """
        said = [self.candidates, self.completion_id, self.ranks, self.none_acceptable]
        if self.criterion is not None and self.task_id is None:
            said.append(self.criterion)
        body = json.dumps([*said, self.ratings, self.comment, self.task_id], sort_keys=True)
        return hashlib.sha256(body.encode()).hexdigest()


def add(session: Session, body: RankingBody) -> StoredRanking:
    """Append a ranking, or find the one that this is a retry of.

    It supersedes the person's last ranking of the same candidates by the same criterion. Raises
    InvalidText, InvalidRanking, UnknownCandidate, DifferentPrompts or IdempotencyConflict.
    """
    _check_names(body)
    earlier = stored_before(session, Ranking, body)
    if earlier:
        return stored(session, earlier[0], repeated=True)
    pairs = resolve(session, body)
    check_ranks(body.ranks, len(pairs))
    check_ratings(body.ratings or {}, len(pairs))
    check_one_prompt(pairs)
    check_told(body.told, [candidate.id for candidate, _ in pairs])
    row = _row(session, body, pairs)
    session.add(row)
    session.flush()
    assert row.id is not None
    for place, ((candidate, _), rank) in enumerate(zip(pairs, body.ranks, strict=True)):
        session.add(
            RankedCandidate(ranking_id=row.id, place=place, candidate_id=candidate.id, rank=rank)
        )
    session.flush()
    training.enqueue(session, row)
    return stored(session, row)


def _check_names(body: RankingBody) -> None:
    check_name("user", body.person)
    for param in ("completion_id", "task_id", "idempotency_key", "criterion"):
        value = getattr(body, param)
        if value is not None:
            check_name(param, value)
    for id in (body.candidates or ())[: CANDIDATE_LIMIT + 1]:
        check_name("candidates", id)


Pairs = list[tuple[Candidate, Generation]]


def resolve(session: Session, body: RankingBody) -> Pairs:
    """The candidates with their generations, in the order that the ranks are in; raises
    InvalidRanking or UnknownCandidate.
    """
    if (body.candidates is None) == (body.completion_id is None):
        message = "give either candidates or completion_id"
        raise InvalidRanking(message, param="candidates", value=body.candidates)
    if body.candidates is not None:
        _check_count("candidates", body.candidates, len(body.candidates))
        return named(session, body.candidates)
    pairs = _choices(session, body.completion_id or "")
    _check_count("completion_id", body.completion_id, len(pairs))
    return pairs


def _check_count(param: str, value: object, count: int) -> None:
    if not 2 <= count <= CANDIDATE_LIMIT:
        message = f"a ranking needs 2 to {CANDIDATE_LIMIT} candidates, not {count}"
        raise InvalidRanking(message, param=param, value=value)


def named(session: Session, ids: Sequence[str]) -> Pairs:
    """These candidates with their generations; raises UnknownCandidate, InvalidRanking."""
    found = {
        candidate.id: (candidate, generation)
        for candidate, generation in session.exec(
            select(Candidate, Generation)
            .join(Generation, col(Generation.id) == Candidate.generation_id)
            .where(col(Candidate.id).in_(ids), col(Generation.deleted_at).is_(None))
        )
    }
    for place, id in enumerate(ids):
        if id not in found:
            raise UnknownCandidate(f"no candidate has the id {id!r}", param="candidates", value=id)
        if id in ids[:place]:
            raise InvalidRanking(f"{id!r} is given twice", param="candidates", value=id)
    return [found[id] for id in ids]


def _choices(session: Session, completion_id: str) -> Pairs:
    pairs = session.exec(
        select(Candidate, Generation)
        .join(Generation, col(Generation.id) == Candidate.generation_id)
        .where(Generation.id == completion_id, col(Generation.deleted_at).is_(None))
        .order_by(col(Candidate.place))
    ).all()
    if not pairs:
        message = f"no completion has the id {completion_id!r}"
        raise UnknownCandidate(message, param="completion_id", value=completion_id)
    return [(candidate, generation) for candidate, generation in pairs]


def check_ranks(ranks: Sequence[int | None], count: int) -> None:
    """One rank for each candidate: a whole number from 1, or None; raises InvalidRanking."""
    if len(ranks) != count:
        message = f"ranks has {len(ranks)} entries for {count} candidates"
        raise InvalidRanking(message, param="ranks", value=list(ranks))
    for rank in ranks:
        whole = isinstance(rank, int) and not isinstance(rank, bool)
        if rank is not None and not (whole and 1 <= rank <= RANK_LIMIT):
            message = f"a rank is a whole number from 1 (the best) or null, not {rank!r}"
            raise InvalidRanking(message, param="ranks", value=rank)


def check_ratings(ratings: Mapping[str, Sequence[float | None]], count: int) -> None:
    """For each criterion one finite number, or None, for each candidate; raises InvalidRanking."""
    for criterion, values in ratings.items():
        if len(values) != count:
            message = f"ratings[{criterion!r}] has {len(values)} entries for {count} candidates"
            raise InvalidRanking(message, param="ratings", value=list(values))
        for value in values:
            if value is not None and not math.isfinite(value):
                message = f"ratings[{criterion!r}] must be finite numbers or null, not {value!r}"
                raise InvalidRanking(message, param="ratings", value=value)


def check_told(told: Told, candidates: Sequence[str]) -> None:
    """What was shown is what was ranked, and no time is negative; raises InvalidRanking."""
    if told.shown is not None and sorted(told.shown) != sorted(candidates):
        message = "shown must name the ranked candidates, in the order that they were shown in"
        raise InvalidRanking(message, param="shown", value=list(told.shown))
    if told.seconds is not None and not (math.isfinite(told.seconds) and told.seconds >= 0):
        message = f"seconds must be a finite number from 0, not {told.seconds!r}"
        raise InvalidRanking(message, param="seconds", value=told.seconds)
    if told.input is not None and told.input not in INPUTS:
        message = f"input is one of {', '.join(INPUTS)}, not {told.input!r}"
        raise InvalidRanking(message, param="input", value=told.input)


def check_one_prompt(pairs: Pairs) -> None:
    """Raises DifferentPrompts unless all of them answer the same."""
    first, generation = pairs[0]
    for candidate, other in pairs[1:]:
        if other.prompt_digest != generation.prompt_digest:
            message = f"{candidate.id!r} and {first.id!r} answer different prompts"
            raise DifferentPrompts(message, param="candidates", value=candidate.id)


def _row(session: Session, body: RankingBody, pairs: Pairs) -> Ranking:
    digest = candidates_digest([candidate.id for candidate, _ in pairs])
    generation = pairs[0][1]
    return Ranking(
        person=body.person,
        conversation_id=generation.conversation_id,
        split=generation.split,
        consented=all(generation.consented for _, generation in pairs)
        and consents.holds(session, body.person),
        comparable=sum(rank is not None for rank in body.ranks) >= 2,
        criterion=body.criterion,
        none_acceptable=body.none_acceptable,
        ratings={name: list(values) for name, values in body.ratings.items()}
        if body.ratings is not None
        else None,
        comment=body.comment,
        task_id=body.task_id,
        shown=None if body.told.shown is None else list(body.told.shown),
        blind=body.told.blind,
        seconds=body.told.seconds,
        input=body.told.input,
        guidelines=body.told.guidelines,
        candidates_digest=digest,
        supersedes=active(session, body.person, digest, body.criterion),
        idempotency_key=body.idempotency_key,
        body_digest=body.digest(),
        created_at=now(session.connection()),
    )


def candidates_digest(ids: Sequence[str]) -> str:
    """One value for these candidates in whatever order."""
    return hashlib.sha256(json.dumps(sorted(ids)).encode()).hexdigest()


def active(session: Session, person: str, digest: str, criterion: str | None) -> int | None:
    """The person's last ranking of these candidates by this criterion, None as a whole."""
    return session.exec(
        select(func.max(Ranking.id)).where(
            Ranking.person == person,
            Ranking.candidates_digest == digest,
            col(Ranking.criterion).is_not_distinct_from(criterion),
        )
    ).one()


def stored(session: Session, row: Ranking, *, repeated: bool = False) -> StoredRanking:
    """The row with its candidates, as a value."""
    ranked = session.exec(
        select(RankedCandidate)
        .where(RankedCandidate.ranking_id == row.id)
        .order_by(col(RankedCandidate.place))
    ).all()
    assert row.id is not None
    return StoredRanking(
        id=row.id,
        person=row.person,
        candidates=tuple(entry.candidate_id for entry in ranked),
        ranks=tuple(entry.rank for entry in ranked),
        none_acceptable=row.none_acceptable,
        ratings=row.ratings,
        comment=row.comment,
        task_id=row.task_id,
        supersedes=row.supersedes,
        created_at=row.created_at,
        repeated=repeated,
        criterion=row.criterion,
        shown=None if row.shown is None else tuple(row.shown),
        blind=row.blind,
        seconds=row.seconds,
        input=row.input,
        guidelines=row.guidelines,
    )
