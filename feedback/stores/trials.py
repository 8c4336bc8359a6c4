"""Trials of a version on some of the people."""

from __future__ import annotations

from collections.abc import Sequence

from .. import canaries, pointer, training, trials
from ..database import now
from ..preferences import RankedPrompt
from ..tables import Stopped
from ..trials import Terms, Trial
from .transactions import Transactions


class Trials(Transactions):
    """Trials of a version on some of the people."""

    def begin_canary(self, id: str, *, share: float | None = None, actor: str, reason: str) -> None:
        """Let a share of the people have the version's answers (None: as the server is set); raises
        UnknownVersion, IllegalMove.
        """
        with self._writing("operations") as session:
            pointer.begin_canary(session, id, share=share, actor=actor, reason=reason)

    def trial(self, terms: Terms) -> Trial | None:
        """Where the trial that goes on stands; None without one."""
        with self._reading() as session:
            return trials.look(session, terms)

    def trial_mark(self) -> tuple[object, ...] | None:
        """What changes when there may be something to decide: the trial, the last ranking, the
        pin.
        """
        with self._reading() as session:
            canary = canaries.current(session)
            if canary is None:
                return None
            return canary.id, training.last(session), pointer.pinned_by(session)

    def decide_trial(self, terms: Terms) -> Trial | None:
        """End the trial if it is decided; where it stood then, else None."""
        with self._writing("operations") as session:
            return trials.decide(session, terms)

    def record_stops(self, versions: Sequence[str]) -> None:
        """People stopped an answer of each of these versions."""
        with self._writing() as session:
            at = now(session.connection())
            session.add_all(Stopped(version_id=version, at=at) for version in versions)

    def telling_rankings(self) -> list[RankedPrompt]:
        """What people think of answers: all to learn from, and what is set aside."""
        with self._reading() as session:
            return training.rankings(session, training.telling())
