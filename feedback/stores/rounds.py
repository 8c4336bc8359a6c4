"""Learning rounds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .. import demonstrations, inputs, lease, marks, repeats, rounds
from ..preferences import RankedPrompt
from ..records import (
    Claim,
    DownWeighting,
    Failures,
    InputInfo,
    LoggedPrompt,
    MetricPoint,
    Reason,
    RoundInfo,
)
from .transactions import Transactions


class Rounds(Transactions):
    """Learning rounds."""

    def request_round(
        self, *, trigger: str, stages: Sequence[str] | None = None, actor: str
    ) -> RoundInfo:
        """Queue a round; if one is queued or running, that one is the answer."""
        with self._writing("operations") as session:
            row = rounds.request(session, trigger=trigger, stages=stages, actor=actor)
            return rounds.infos(session, [row])[0]

    def repeat_round(self, id: int, *, without: Sequence[str] = (), actor: str) -> RoundInfo:
        """Queue a round on the inputs of one that is over, but for these people's rankings.

        Raises UnknownRound, IllegalMove, StoreError.
        """
        with self._writing("operations") as session:
            row = repeats.repeat(session, id, without=without, actor=actor)
            return rounds.infos(session, [row])[0]

    def claim_round(self, holder: str, ttl_s: float) -> Claim | None:
        """Take the lease and the open round; None if there is none, somebody holds it, or people
        paused.
        """
        with self._writing("operations") as session:
            return rounds.claim(session, holder, ttl_s)

    def renew(self, claim: Claim, ttl_s: float) -> None:
        """Hold the lease for so many seconds from now; raises LeaseLost."""
        with self._writing("operations") as session:
            lease.renew(session, claim, ttl_s)

    def hand_back(self, claim: Claim, *, counted: bool) -> None:
        """Leave a running round to whoever claims it next, at once; `counted`: it was one of its
        three attempts. Raises LeaseLost.
        """
        with self._writing("operations") as session:
            rounds.hand_back(session, claim, counted=counted)

    def failures(self) -> Failures:
        """How many of the last rounds failed in a row, cancelled ones aside, and since when."""
        with self._reading() as session:
            return rounds.failures(session)

    def cancelled(self, claim: Claim) -> bool:
        """Has somebody asked for the claim's round to stop? Raises LeaseLost."""
        with self._reading() as session:
            return rounds.cancelled(session, claim)

    def use_rankings(
        self, claim: Claim, ids: Sequence[int], down: Sequence[DownWeighting] = ()
    ) -> None:
        """Write down which rankings the round learns from, and which of them weigh less than 1, and
        why; raises LeaseLost, StoreError.
        """
        with self._writing("operations") as session:
            inputs.use(session, claim, ids, down)

    def used_rankings(self, round_id: int) -> list[RankedPrompt]:
        """The rankings that are written down for the round and not left out, with their weights."""
        with self._reading() as session:
            return inputs.used(session, round_id)

    def use_prompts(self, claim: Claim, limit: int) -> list[LoggedPrompt]:
        """The prompts that are written down for the round; for none, the log's last ones, which are
        then. Raises LeaseLost.
        """
        with self._writing("operations") as session:
            return inputs.use_prompts(session, claim, limit)

    def use_set_prompts(
        self, claim: Claim, names: Collection[str], limit: int
    ) -> list[LoggedPrompt]:
        """The prompts of imported sets that are written down for the round; for none, the newest of
        each of these, so many at most, which are then. Raises LeaseLost.
        """
        with self._writing("operations") as session:
            return inputs.use_set_prompts(session, claim, names, limit)

    def round_inputs(self, id: int) -> list[InputInfo]:
        """The round's rankings, whose they are and what they weigh; raises UnknownRound."""
        with self._reading() as session:
            rounds.get(session, id)
            return inputs.listed(session, id)

    def leave_out(
        self, claim: Claim, kind: str, ids: Sequence[int], reason: str | None = None
    ) -> None:
        """Write down which rankings, marks or demonstrations ("ranking", ...) the round does not
        learn from, for personal data where no reason is given: they wait no longer. Raises
        LeaseLost.
        """
        if ids:
            with self._writing("operations") as session:
                inputs.leave_out(session, claim, kind, ids, reason)

    def use_demonstrations(self, claim: Claim, ids: Sequence[int]) -> None:
        """Write down which demonstrations the round learns from; raises LeaseLost, StoreError."""
        with self._writing("operations") as session:
            demonstrations.use(session, claim, ids)

    def use_marks(self, claim: Claim, ids: Sequence[int]) -> None:
        """Write down which marks the round learns from; raises LeaseLost, StoreError."""
        with self._writing("operations") as session:
            marks.use(session, claim, ids)

    def progress(
        self, claim: Claim, *, stage: str, step: int, steps: int, eta_s: float | None = None
    ) -> None:
        """Show where the round is; raises LeaseLost."""
        with self._writing("operations") as session:
            rounds.progress(session, claim, stage=stage, step=step, steps=steps, eta_s=eta_s)

    def add_metrics(
        self, claim: Claim, *, stage: str, step: int, values: Mapping[str, float]
    ) -> None:
        """Keep figures of a step; the last value of each name counts. Raises LeaseLost."""
        with self._writing("operations") as session:
            rounds.add_metrics(session, claim, stage=stage, step=step, values=values)

    def forget_metrics(self, claim: Claim) -> None:
        """Drop the figures of a round that starts over; raises LeaseLost."""
        with self._writing("operations") as session:
            rounds.forget_metrics(session, claim)

    def finish_round(
        self,
        claim: Claim,
        *,
        outcome: str,
        reasons: Sequence[Reason] = (),
        version_id: str | None = None,
        reward_id: str | None = None,
        reward: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> RoundInfo:
        """End the round and free the lease, in one transaction with its version's move; raises
        LeaseLost.

        A version of the round that is still trained becomes what the outcome says: live, verified,
        rejected or failed.
        """
        with self._writing("operations") as session:
            row = rounds.finish(
                session,
                claim,
                outcome=outcome,
                reasons=reasons,
                version_id=version_id,
                reward_id=reward_id,
                reward=reward,
                error=error,
            )
            return rounds.infos(session, [row])[0]

    def cancel_round(self, id: int, actor: str) -> RoundInfo:
        """Ask the round to stop, or end it if no learner holds it; raises UnknownRound,
        IllegalMove.
        """
        with self._writing("operations") as session:
            return rounds.infos(session, [rounds.cancel(session, id, actor)])[0]

    def round(self, id: int) -> RoundInfo:
        """One round; raises UnknownRound."""
        with self._reading() as session:
            return rounds.infos(session, [rounds.get(session, id)])[0]

    def rounds(self, limit: int = 50) -> list[RoundInfo]:
        """The last rounds, newest first."""
        with self._reading() as session:
            return rounds.infos(session, rounds.latest(session, limit))

    def metrics(self, round_id: int) -> list[MetricPoint]:
        """The figures of a round, oldest first; raises UnknownRound."""
        with self._reading() as session:
            return rounds.metrics(session, round_id)
