"""What a round works on. It is written down by the round's first attempt, or by whoever asked for a
round again, and read back by every later one: what people say meanwhile is the next round's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, exists, func
from sqlmodel import Session, col, select

from . import consents, conversations, down_weightings, lease, prompts, training
from .erasing import NOBODY
from .errors import StoreError
from .preferences import RankedPrompt
from .records import Claim, DownWeighting, InputInfo, LoggedPrompt
from .tables import (
    Generation,
    LeftOut,
    Prompt,
    Ranking,
    RoundInput,
    RoundPrompt,
    RoundSetPrompt,
)


def use(
    session: Session, claim: Claim, ids: Sequence[int], down: Sequence[DownWeighting] = ()
) -> None:
    """Write down which rankings the round learns from, and which of them weigh less than 1, and
    why; again is harmless.

    Raises LeaseLost, StoreError.
    """
    lease.fence(session, claim)
    known = session.exec(
        select(RoundInput.ranking_id).where(RoundInput.round_id == claim.round_id)
    ).all()
    fresh = sorted(set(ids) - set(known))
    less = {one.ranking_id: one for one in down if one.ranking_id in fresh}
    consented = set(session.exec(select(Ranking.id).where(col(Ranking.consented))).all())
    for id in fresh:
        if id not in consented:
            message = f"ranking {id} is unknown, or its people did not consent to training"
            raise StoreError(message, param="rankings", value=id)
        weight = less[id].weight if id in less else 1.0
        session.add(RoundInput(round_id=claim.round_id, ranking_id=id, weight=weight))
    down_weightings.add(session, claim.round_id, less.values())


def used(session: Session, round_id: int) -> list[RankedPrompt]:
    """The rankings that were written down and weigh something, those by a criterion among them,
    oldest first, with their weights; without those that may no longer be learned from.
    """
    weighs = col(RoundInput.weight) > 0
    chosen = training.allowed() & col(Ranking.id).in_(
        select(RoundInput.ranking_id).where(RoundInput.round_id == round_id, weighs)
    )
    weights = {row.ranking_id: row.weight for row in _rows(session, round_id)}
    return training.rankings(session, chosen, weights)


def _rows(session: Session, round_id: int) -> Sequence[RoundInput]:
    return session.exec(select(RoundInput).where(RoundInput.round_id == round_id)).all()


def use_prompts(session: Session, claim: Claim, limit: int) -> list[LoggedPrompt]:
    """The prompts that were written down for the round; for none, the last ones of the log, which
    are then. Raises LeaseLost.
    """
    lease.fence(session, claim)
    rows = _prompts(session, claim.round_id)
    if not rows:
        rows = conversations.last_asked(session, limit)
        for place, row in enumerate(rows):
            session.add(RoundPrompt(round_id=claim.round_id, place=place, generation_id=row.id))
    return [conversations.logged(row) for row in rows]


def use_set_prompts(
    session: Session, claim: Claim, names: Collection[str], limit: int
) -> list[LoggedPrompt]:
    """The prompts of imported sets that were written down for the round; for none, the newest of
    each of these sets, so many at most, which are then. Raises LeaseLost.
    """
    lease.fence(session, claim)
    rows = _set_prompts(session, claim.round_id)
    if not rows:
        rows = [row for name in sorted(names) for row in prompts.newest(session, name, limit)]
        session.add_all(
            RoundSetPrompt(round_id=claim.round_id, prompt_id=row.id)
            for row in rows
            if row.id is not None
        )
    return [prompts.of_set(row) for row in rows]


def _set_prompts(session: Session, round_id: int) -> Sequence[Prompt]:
    """Without those whose words are gone."""
    return session.exec(
        select(Prompt)
        .join(RoundSetPrompt, col(RoundSetPrompt.prompt_id) == col(Prompt.id))
        .where(RoundSetPrompt.round_id == round_id, Prompt.person != NOBODY)
        .order_by(col(Prompt.set_name), col(Prompt.id).desc())
    ).all()


def _prompts(session: Session, round_id: int) -> Sequence[Generation]:
    return session.exec(
        select(Generation)
        .join(RoundPrompt, col(RoundPrompt.generation_id) == col(Generation.id))
        .where(
            RoundPrompt.round_id == round_id,
            col(Generation.deleted_at).is_(None),
            consents.willing(col(Generation.person)),
        )
        .order_by(col(RoundPrompt.place))
    ).all()


def listed(session: Session, round_id: int, *, kept: bool = False) -> list[InputInfo]:
    """The round's rankings, oldest first, with whose they are, what they weigh, and why less;
    `kept`: without those that may no longer be learned from.
    """
    less = {one.ranking_id: one.reason for one in down_weightings.listed(session, round_id)}
    query = (
        select(RoundInput, Ranking.person)
        .join(Ranking, col(Ranking.id) == RoundInput.ranking_id)
        .where(RoundInput.round_id == round_id)
        .order_by(col(RoundInput.ranking_id))
    )
    rows = session.exec(query.where(training.allowed()) if kept else query)
    return [
        InputInfo(row.ranking_id, person, row.weight, less.get(row.ranking_id))
        for row, person in rows
    ]


def leave_out(
    session: Session, claim: Claim, kind: str, ids: Sequence[int], reason: str | None = None
) -> None:
    """Write down what the round does not learn from, for personal data where no reason is given: it
    waits for no round any longer. Again is harmless. Raises LeaseLost.
    """
    lease.fence(session, claim)
    known = session.exec(
        select(LeftOut.row_id).where(LeftOut.round_id == claim.round_id, LeftOut.kind == kind)
    ).all()
    for id in sorted(set(ids) - set(known)):
        session.add(LeftOut(round_id=claim.round_id, kind=kind, row_id=id, reason=reason))
    if kind == "ranking":
        training.unqueue(session, ids)


def left_out(session: Session, rounds: Sequence[int | None]) -> dict[int, tuple[int, int]]:
    """How much each of these rounds left out, for personal data and for its person's share."""
    private = func.count().filter(col(LeftOut.reason).is_(None))
    rows = session.exec(
        select(LeftOut.round_id, private, func.count())
        .where(col(LeftOut.round_id).in_(rounds))
        .group_by(col(LeftOut.round_id))
    )
    return {id: (held, count - held) for id, held, count in rows}


def was_left_out(kind: str, row_id: Any) -> ColumnElement[bool]:
    """By any round: the row with the id in this column."""
    return exists().where(col(LeftOut.kind) == kind, col(LeftOut.row_id) == row_id)


def copy(session: Session, source: int, target: int, without: Collection[str]) -> None:
    """Write down for one round what another worked on, but for these people's rankings."""
    for info in listed(session, source, kept=True):
        if info.person not in without:
            session.add(RoundInput(round_id=target, ranking_id=info.ranking_id, weight=info.weight))
    less = down_weightings.listed(session, source)
    down_weightings.add(session, target, [one for one in less if one.person not in without])
    for place, row in enumerate(_prompts(session, source)):
        session.add(RoundPrompt(round_id=target, place=place, generation_id=row.id))
    for prompt in _set_prompts(session, source):
        if prompt.id is not None:
            session.add(RoundSetPrompt(round_id=target, prompt_id=prompt.id))
