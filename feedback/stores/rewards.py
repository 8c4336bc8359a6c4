"""What reward models say of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .. import rewards, tasks
from ..records import UnscoredAnswer
from .tasks import LOCK as TASKS
from .transactions import Transactions


class Rewards(Transactions):
    """What reward models say of answers."""

    def rewards(self, candidate: str) -> dict[str, dict[str, float]]:
        """A candidate's figures by reward model and name; those of "r3+17" are by r3 after 17
        rankings more.
        """
        with self._reading() as session:
            return rewards.of(session, candidate)

    def want_reward(self, candidate: str) -> None:
        """Have a candidate scored next, where there is a reward model; again is harmless."""
        with self._writing("rewards") as session:
            rewards.want(session, candidate)

    def newest_reward(self) -> str | None:
        """The id of the reward model that was published last."""
        with self._reading() as session:
            row = rewards.newest(session)
            return None if row is None else row.id

    def answers(self, candidates: Sequence[str]) -> list[UnscoredAnswer]:
        """What it takes to score these candidates, in this order; unknown ones and those without
        tokens are left out.
        """
        with self._reading() as session:
            return rewards.answers(session, candidates)

    def unscored(self, reward: str, limit: int) -> list[UnscoredAnswer]:
        """Candidates that this reward model has not scored: wanted ones first, then the newest."""
        with self._reading() as session:
            return rewards.unscored(session, reward, limit)

    def add_rewards(
        self,
        reward: str,
        found: Mapping[str, Mapping[str, float]],
        since: int = 0,
        by_head: Mapping[str, Sequence[float]] = {},
    ) -> None:
        """Keep figures of candidates, and what each head says of them, in place of what this reward
        model said of them before. Items that waited for it show the most disputed ones.
        """
        with self._writing("rewards") as session:
            rewards.add(session, reward, found, since, by_head)
        if by_head:
            with self._writing(TASKS) as session:
                tasks.settle(session, by_head)
