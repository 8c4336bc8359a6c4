"""How a canary does against the live version, and what follows from it.

What decides is who is put above whom, blind, by an interval that may be looked at at any time
(sequential.py). Thumbs, and how often people stop an answer, are told beside and decide nothing:
the two versions are not asked the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, exists, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from . import canaries, down_weightings, duels, pointer, sequential, training, versions
from .preferences import THUMB
from .sequential import Tally
from .tables import Canary, Candidate, Generation, Mark, RankedCandidate, Ranking, Stopped

ACTOR = "canary"


@dataclass(frozen=True)
class Terms:
    """By what a trial is decided: the error that is allowed, the least comparisons, and whether a
    canary that is better is promoted without a person.
    """

    error: float
    least: int
    promotes: bool


@dataclass(frozen=True)
class Beside:
    """What else people did with a version's answers since the trial began."""

    answers: int
    stopped: int
    thumbs_up: int
    thumbs_down: int


@dataclass(frozen=True)
class Trial:
    """Where a trial stands. `rate` is the canary's share of the untied comparisons, with its
    interval; `better` is None while nothing is decided. `pinned_by`: who holds the live version in
    its place. `beside` is by version.
    """

    version: str
    live: str
    share: float | None
    began_at: float
    tally: Tally
    low: float
    high: float
    better: bool | None
    pinned_by: str | None
    beside: Mapping[str, Beside]

    @property
    def evidence(self) -> dict[str, Any]:
        """As it is written down with a decision."""
        return {
            "against": self.live,
            "wins": self.tally.wins,
            "losses": self.tally.losses,
            "ties": self.tally.ties,
            "win_rate": self.tally.rate,
            "low": self.low,
            "high": self.high,
        }


def look(session: Session, terms: Terms) -> Trial | None:
    """The trial that goes on, if one does."""
    canary = canaries.current(session)
    if canary is None:
        return None
    tally = _tally(session, canary)
    low, high = sequential.interval(tally, terms.error)
    both = (canary.version_id, canary.live_id)
    return Trial(
        version=canary.version_id,
        live=canary.live_id,
        share=canary.share,
        began_at=canary.began_at,
        tally=tally,
        low=low,
        high=high,
        better=sequential.better(tally, terms.error, terms.least),
        pinned_by=pointer.pinned_by(session),
        beside={version: _beside(session, version, canary.began_at) for version in both},
    )


def _tally(session: Session, canary: Canary) -> Tally:
    """Rankings since the trial began, without those of people who weighed nothing in the last
    round: that was known before they ranked.
    """
    since = training.telling() & (col(Ranking.id) > canary.after_ranking)
    both = _ranks(canary.version_id) & _ranks(canary.live_id)
    _, weights = down_weightings.last_weights(session)
    rankings = [
        ranked
        for ranked in training.rankings(session, since & both)
        if weights.get(ranked.person, 1.0) > 0
    ]
    return duels.tally(rankings, canary.version_id, canary.live_id)


def _ranks(version: str) -> ColumnElement[bool]:
    """The ranking in a query is of an answer of this version, among others."""
    entry, answer, asked = aliased(RankedCandidate), aliased(Candidate), aliased(Generation)
    return exists().where(
        col(entry.ranking_id) == col(Ranking.id),
        col(entry.candidate_id) == col(answer.id),
        col(answer.generation_id) == col(asked.id),
        col(asked.version) == version,
    )


def _beside(session: Session, version: str, since: float) -> Beside:
    of_it = (Generation.version == version, col(Generation.created_at) >= since)
    asked = select(func.count()).select_from(Generation).where(*of_it, col(Generation.listed))
    stopped = select(func.count()).select_from(Stopped)
    stopped = stopped.where(Stopped.version_id == version, col(Stopped.at) >= since)
    thumbs = dict(
        session.exec(
            select(Mark.value, func.count())
            .join(Candidate, col(Candidate.id) == Mark.candidate_id)
            .join(Generation, col(Generation.id) == Candidate.generation_id)
            .where(*of_it, Mark.criterion == THUMB, col(Mark.deleted_at).is_(None))
            .group_by(col(Mark.value))
        ).all()
    )
    return Beside(
        answers=session.exec(asked).one(),
        stopped=session.exec(stopped).one(),
        thumbs_up=thumbs.get(1.0, 0),
        thumbs_down=thumbs.get(0.0, 0),
    )


def decide(session: Session, terms: Terms) -> Trial | None:
    """End the trial if it is decided: a worse canary is rejected; a better one is promoted where
    that is wanted and nobody holds the live version. Where the trial stood if it ended, else None.
    """
    trial = look(session, terms)
    if trial is None or trial.better is None:
        return None
    if trial.better and (not terms.promotes or trial.pinned_by is not None):
        return None
    rate = f"{trial.tally.rate:.2f} of {trial.tally.untied} untied comparisons"
    reason = f"won {rate} with {trial.live} ({trial.low:.2f} to {trial.high:.2f} at any time)"
    if trial.better:
        pointer.promote(session, trial.version, actor=ACTOR, reason=reason, evidence=trial.evidence)
    else:
        row = versions.get(session, trial.version)
        versions.move(session, row, "rejected", actor=ACTOR, reason=reason, evidence=trial.evidence)
    return trial
