"""Trained weights to a version folder, and to a row under the round's claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedback.records import Claim
from feedback.store import Store
from learner import ranks
from learner.saved import Saved
from learner.state import State
from policy.model import Model
from policy.versions import Versions
from rankloop_faults import point


@dataclass(frozen=True)
class Publisher:
    """What a round publishes with. Where its state is saved, each version has one id, and what an
    interrupted attempt has published is not published again.
    """

    store: Store
    versions: Versions
    claim: Claim
    saved: Saved | None = None

    def publish(
        self,
        kind: str,
        weights: Model | Callable[[Path], None],
        *,
        parent: str,
        settings: Mapping[str, Any],
        figures: Mapping[str, Any] | None = None,
        reward_id: str | None = None,
    ) -> str:
        """A policy of kind "full" or "adapter" that went on from the parent, and what rewarded it;
        or a "reward" model, held near the parent. Gives its new id. Raises LeaseLost.
        """
        prefix = "r" if kind == "reward" else "v"
        id, round_id = self._id(prefix), self.claim.round_id
        if any(info.id == id for info in self.store.versions(reward=prefix == "r")):
            return id
        reward_digest = self.store.version(reward_id).digest if reward_id else None
        manifest = ranks.first(
            lambda: self.versions.publish(
                id,
                weights,
                kind=kind,
                parent=parent,
                round=round_id,
                reward_digest=reward_digest,
                settings=settings,
            )
        )
        point("publish.register")
        self.store.register_version(
            id,
            digest=manifest.digest,
            parent=parent,
            kind=kind,
            round_id=round_id,
            reward_id=reward_id,
            figures=figures,
            claim=self.claim,
        )
        point("publish.registered")
        return id

    def _id(self, prefix: str) -> str:
        """The next free id, or the one that an interrupted attempt had taken."""
        noted = self.saved.read(f"id-{prefix}") if self.saved else None
        if noted is not None:
            return str(noted.values["id"])
        id = self.store.next_id(prefix)
        if self.saved:
            self.saved.write(f"id-{prefix}", State(values={"id": id}))
        return id
