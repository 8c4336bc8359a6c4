"""The learner's heartbeat and pause."""

from __future__ import annotations

from .. import presence
from ..records import LearnerInfo
from .transactions import Transactions


class Presence(Transactions):
    """The learner's heartbeat and pause."""

    def heartbeat(
        self,
        *,
        holder: str,
        state: str,
        next_run_at: float | None = None,
        last_error: str | None = None,
        missing: str | None = None,
        still_s: float = 0.0,
    ) -> None:
        """Say that the learner lives; `missing` says why it cannot train this model here, `still_s`
        for how many seconds nothing has gone on in it.
        """
        with self._writing("operations") as session:
            presence.heartbeat(
                session,
                holder=holder,
                state=state,
                next_run_at=next_run_at,
                last_error=last_error,
                missing=missing,
                still_s=still_s,
            )

    def pause(self, actor: str) -> None:
        """Let no round be claimed; one that runs goes on."""
        with self._writing("operations") as session:
            presence.set_paused(session, True, actor)

    def resume(self, actor: str) -> None:
        """Let rounds be claimed again."""
        with self._writing("operations") as session:
            presence.set_paused(session, False, actor)

    def learner(self) -> LearnerInfo:
        """The learner's state; dead when its last heartbeat is older than 30 s."""
        with self._reading() as session:
            return presence.learner(session)
