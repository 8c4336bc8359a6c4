"""Versions, and which one is live."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .. import lease, pointer, pruning, quarantine, rollbacks, version_infos, versions
from ..database import now
from ..records import Claim, LearnedFrom, Live, VersionInfo
from ..rollbacks import RolledBack
from ..tables import Version
from .transactions import Transactions


class Versions(Transactions):
    """Versions, and which one is live."""

    def next_id(self, prefix: str) -> str:
        """The next free id of a policy ("v") or a reward model ("r"); none is given twice."""
        with self._writing("operations") as session:
            return versions.next_id(session, prefix)

    def last_given(self, prefix: str) -> int:
        """The number of the last id that this record gave to a policy ("v") or a reward model."""
        with self._reading() as session:
            return versions.last_given(session, prefix)

    def install_base(self, id: str = "v0", *, digest: str) -> None:
        """Register the starting model and make it live if nothing is; again is harmless."""
        with self._writing("operations") as session:
            pointer.install_base(session, id, digest)

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
            return version_infos.infos(session, versions.everything(session, reward=reward), person)

    def prune_versions(self, newest: int, needed: Collection[str]) -> list[str]:
        """Note that the files go of all versions but the newest so many, the needed ones, and what
        serves, has served last or waits for a decision; tell which those are.
        """
        with self._writing("operations") as session:
            return pruning.prune(session, newest, needed)

    def pruned_versions(self) -> Sequence[str]:
        """Those whose files are gone, or are to go."""
        with self._reading() as session:
            return pruning.pruned(session)

    def version(self, id: str, person: str | None = None) -> VersionInfo:
        """One version; raises UnknownVersion."""
        with self._reading() as session:
            return version_infos.infos(session, [versions.get(session, id)], person)[0]

    def live(self) -> Live:
        """The live pointer; raises UnknownVersion before the starting model is installed."""
        with self._reading() as session:
            return pointer.live(session)

    def live_at(self, at: float) -> str | None:
        """The version that was live at this time, if one was."""
        with self._reading() as session:
            return pointer.live_at(session, at)

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
        its claim, what was trained or verified. What a person promotes is pinned. Raises
        UnknownVersion, IllegalMove, LeaseLost.
        """
        with self._writing("operations") as session:
            lease.fence(session, claim)
            gated = claim is not None
            return pointer.promote(
                session, id, actor=actor, reason=reason, gated=gated, pinned=not gated
            )

    def rollback(
        self, *, actor: str, reason: str, set_aside: bool = False, epoch: int | None = None
    ) -> RolledBack:
        """Return to the version that was live before, reject the one that is, and end the round
        that runs; `set_aside`: and let no round learn from rankings of its answers. `epoch`: only
        if the live pointer has not moved since. Raises NothingToRollBack, PointerMoved.
        """
        with self._writing("operations") as session:
            return rollbacks.roll_back(
                session, actor=actor, reason=reason, set_aside=set_aside, epoch=epoch
            )

    def pin(self, id: str, *, pinned: bool, actor: str, reason: str) -> None:
        """Hold the live version in its place against what is promoted by itself, or let go of it;
        raises UnknownVersion, IllegalMove.
        """
        with self._writing("operations") as session:
            pointer.pin(session, id, pinned=pinned, actor=actor, reason=reason)

    def set_aside(self, id: str, *, actor: str, reason: str) -> int:
        """Let no round learn from rankings of the version's answers; how many more these are.
        Raises UnknownVersion.
        """
        with self._writing("operations") as session:
            versions.get(session, id)
            return quarantine.set_aside(session, id, actor=actor, reason=reason)

    def readmit(self, id: str, *, actor: str, reason: str) -> int:
        """Let rounds learn again from what was set aside because of the version; how many rankings
        that are. Raises UnknownVersion.
        """
        with self._writing("operations") as session:
            versions.get(session, id)
            return quarantine.lift(session, id, actor=actor, reason=reason)

    def reject(self, id: str, *, actor: str, reason: str, claim: Claim | None = None) -> None:
        """Refuse a version that is not live; raises UnknownVersion, IllegalMove, LeaseLost."""
        with self._writing("operations") as session:
            lease.fence(session, claim)
            versions.reject(session, id, actor=actor, reason=reason)

    def learned_from(self, version_id: str, person: str | None) -> LearnedFrom:
        """How many rankings its round used, how many the person's; raises UnknownVersion."""
        with self._reading() as session:
            return version_infos.learned_from(session, version_id, person)
