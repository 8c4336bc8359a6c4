"""What a round works on. It is written down by the round's first attempt, or by whoever asked for a
round again, and read back by every later one: what people say meanwhile is the next round's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlmodel import Session, col, select

from . import conversations, down_weightings, lease, training
from .errors import StoreError
from .preferences import RankedPrompt
from .records import Claim, DownWeighting, InputInfo, LoggedPrompt
from .tables import Generation, Ranking, RoundInput, RoundPrompt


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
    """The rankings that were written down and not left out, oldest first, with their weights."""
    weighs = col(RoundInput.weight) > 0
    chosen = col(Ranking.id).in_(
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


def _prompts(session: Session, round_id: int) -> Sequence[Generation]:
    return session.exec(
        select(Generation)
        .join(RoundPrompt, col(RoundPrompt.generation_id) == col(Generation.id))
        .where(RoundPrompt.round_id == round_id)
        .order_by(col(RoundPrompt.place))
    ).all()


def listed(session: Session, round_id: int) -> list[InputInfo]:
    """The round's rankings, oldest first, with whose they are, what they weigh, and why less."""
    less = {one.ranking_id: one.reason for one in down_weightings.listed(session, round_id)}
    rows = session.exec(
        select(RoundInput, Ranking.person)
        .join(Ranking, col(Ranking.id) == RoundInput.ranking_id)
        .where(RoundInput.round_id == round_id)
        .order_by(col(RoundInput.ranking_id))
    )
    return [
        InputInfo(row.ranking_id, person, row.weight, less.get(row.ranking_id))
        for row, person in rows
    ]


def copy(session: Session, source: int, target: int, without: Collection[str]) -> None:
    """Write down for one round what another worked on, but for these people's rankings."""
    for info in listed(session, source):
        if info.person not in without:
            session.add(RoundInput(round_id=target, ranking_id=info.ranking_id, weight=info.weight))
    less = down_weightings.listed(session, source)
    down_weightings.add(session, target, [one for one in less if one.person not in without])
    for place, row in enumerate(_prompts(session, source)):
        session.add(RoundPrompt(round_id=target, place=place, generation_id=row.id))
