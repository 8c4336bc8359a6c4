"""Versions, and which one is live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import lease, versions
from ..database import now
from ..records import Claim, LearnedFrom, Live, VersionInfo
from ..tables import Version
from .transactions import Transactions


class Versions(Transactions):
    """Versions, and which one is live."""

    def next_id(self, prefix: str) -> str:
        """The next free id of a policy ("v") or a reward model ("r"); none is given twice."""
        with self._writing("operations") as session:
            return versions.next_id(session, prefix)

    def install_base(self, id: str = "v0", *, digest: str) -> None:
        """Register the starting model and make it live if nothing is; again is harmless."""
        with self._writing("operations") as session:
            versions.install_base(session, id, digest)

    def register_version(
        self,
        id: str,
        *,
        digest: str,
        parent: str | None,
        kind: str,
        round_id: int | None = None,
        reward_id: str | None = None,
        state: str = "trained",
        figures: Mapping[str, Any] | None = None,
        actor: str = "learner",
        claim: Claim | None = None,
    ) -> None:
        """Add a published version; raises VersionExists, or LeaseLost under a claim that holds no
        more.
        """
        with self._writing("operations") as session:
            lease.fence(session, claim)
            row = Version(
                id=id,
                kind=kind,
                state=state,
                digest=digest,
                parent=parent,
                round_id=round_id,
                reward_id=reward_id,
                figures=dict(figures or {}),
                created_at=now(session.connection()),
            )
            reason = "installed" if round_id is None else f"trained by round {round_id}"
            versions.register(session, row, actor=actor, reason=reason)

    def versions(self, person: str | None = None, *, reward: bool = False) -> list[VersionInfo]:
        """All policies (or all reward models), oldest first; `learned_from` counts the person's
        share.
        """
        with self._reading() as session:
            return versions.infos(session, versions.everything(session, reward=reward), person)

    def version(self, id: str, person: str | None = None) -> VersionInfo:
        """One version; raises UnknownVersion."""
        with self._reading() as session:
            return versions.infos(session, [versions.get(session, id)], person)[0]

    def live(self) -> Live:
        """The live pointer; raises UnknownVersion before the starting model is installed."""
        with self._reading() as session:
            return versions.live(session)

    def verify(self, id: str, *, actor: str, reason: str, claim: Claim | None = None) -> None:
        """Say that the gate passed a trained version; raises IllegalMove, LeaseLost."""
        self._move(id, "verified", actor=actor, reason=reason, claim=claim)

    def fail(self, id: str, *, actor: str, reason: str, claim: Claim | None = None) -> None:
        """Say that a version is broken, for good; raises IllegalMove, LeaseLost."""
        self._move(id, "failed", actor=actor, reason=reason, claim=claim)

    def _move(self, id: str, to: str, *, actor: str, reason: str, claim: Claim | None) -> None:
        with self._writing("operations") as session:
            lease.fence(session, claim)
            row = versions.get(session, id)
            if row.state != to:
                versions.move(session, row, to, actor=actor, reason=reason)

    def promote(self, id: str, *, actor: str, reason: str, claim: Claim | None = None) -> Live:
        """Make a version live and retire the one that was, in one transaction.

        A person (no claim) may promote what was verified, retired or rejected; a learner, fenced by
        its claim, what was trained or verified. Raises UnknownVersion, IllegalMove, LeaseLost.
        """
        with self._writing("operations") as session:
            lease.fence(session, claim)
            gated = claim is not None
            return versions.promote(session, id, actor=actor, reason=reason, gated=gated)

    def rollback(self, *, actor: str, reason: str) -> Live:
        """Return to the version that was live before, and reject the one that is; raises
        NothingToRollBack.
        """
        with self._writing("operations") as session:
            return versions.rollback(session, actor=actor, reason=reason)

    def reject(self, id: str, *, actor: str, reason: str, claim: Claim | None = None) -> None:
        """Refuse a version that is not live; raises UnknownVersion, IllegalMove, LeaseLost."""
        with self._writing("operations") as session:
            lease.fence(session, claim)
            versions.reject(session, id, actor=actor, reason=reason)

    def learned_from(self, version_id: str, person: str | None) -> LearnedFrom:
        """How many rankings its round used, how many the person's; raises UnknownVersion."""
        with self._reading() as session:
            return versions.learned_from(session, version_id, person)
