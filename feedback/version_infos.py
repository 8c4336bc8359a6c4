"""Versions as they are told: how each came about, its moves, what it learned from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from . import pointer, quarantine
from .records import LearnedFrom, VersionInfo, VersionMove
from .tables import Ranking, RoundInput, Version, VersionEvent
from .versions import get


def learned_from(session: Session, id: str, person: str | None) -> LearnedFrom:
    """The inputs of the round that made the version, and the person's share of them."""
    round_id = get(session, id).round_id
    return _inputs(session, [round_id], person).get(round_id, LearnedFrom(0, 0))


def _inputs(
    session: Session, rounds: Sequence[int | None], person: str | None
) -> dict[int | None, LearnedFrom]:
    yours = func.count().filter(col(Ranking.person) == person)
    rows = session.exec(
        select(RoundInput.round_id, func.count(), yours)
        .join(Ranking, col(Ranking.id) == RoundInput.ranking_id)
        .where(col(RoundInput.round_id).in_({id for id in rounds if id is not None}))
        .where(RoundInput.weight > 0)
        .group_by(col(RoundInput.round_id))
    )
    return {round_id: LearnedFrom(all, mine) for round_id, all, mine in rows}


def infos(session: Session, rows: Sequence[Version], person: str | None) -> list[VersionInfo]:
    """The versions with their moves, and what they learned from."""
    inputs = _inputs(session, [row.round_id for row in rows], person)
    events: dict[str, list[VersionMove]] = defaultdict(list)
    for event in session.exec(
        select(VersionEvent)
        .where(col(VersionEvent.version_id).in_([row.id for row in rows]))
        .order_by(col(VersionEvent.id))
    ):
        events[event.version_id].append(
            VersionMove(
                from_state=event.from_state,
                to_state=event.to_state,
                actor=event.actor,
                reason=event.reason,
                at=event.at,
                evidence=event.evidence,
            )
        )
    aside, pinned_by = quarantine.counts(session), pointer.pinned_by(session)
    return [
        replace(
            _info(row, events[row.id], inputs.get(row.round_id, LearnedFrom(0, 0))),
            set_aside=aside.get(row.id, 0),
            pinned_by=pinned_by if row.state == "live" else None,
        )
        for row in rows
    ]


def _info(row: Version, events: Sequence[VersionMove], inputs: LearnedFrom) -> VersionInfo:
    figures: dict[str, Any] = row.figures
    return VersionInfo(
        id=row.id,
        kind=row.kind,
        state=row.state,
        digest=row.digest,
        parent=row.parent,
        round_id=row.round_id,
        reward_id=row.reward_id,
        figures=figures,
        created_at=row.created_at,
        events=tuple(events),
        learned_from=inputs,
        pruned=row.pruned_at is not None,
    )
