"""The store: the one place where a session is opened, and so where every transaction begins and
ends.

Each method is one transaction; what happens inside it stands in conversations, rankings, versions,
rounds and presence. A Store may be used by many threads, and many processes may open one database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session

from . import (
    conversations,
    demonstrations,
    inputs,
    lease,
    marks,
    presence,
    rankings,
    repeats,
    rewards,
    rounds,
    training,
    versions,
)
from .database import connect, lock, migrate, now, reader, writer
from .preferences import MarkedPrompt, RankedPrompt
from .records import (
    Claim,
    GenerationRecord,
    InputInfo,
    LearnedFrom,
    LearnerInfo,
    Live,
    LoggedPrompt,
    MetricPoint,
    Reason,
    RoundInfo,
    StoredCandidate,
    StoredDemonstration,
    StoredMark,
    StoredRanking,
    UnscoredAnswer,
    VersionInfo,
    Waiting,
)
from .tables import Version


class Store:
    """What people said, which versions there are, and what the learner does, in one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader, self._writer = reader(engine), writer(engine)

    @classmethod
    def open(cls, url: str) -> Store:
        """Open `sqlite:///file` or `postgresql://...`, bringing its tables up to date."""
        store = cls(connect(url))
        try:
            migrate(store._engine)
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with Session(self._reader) as session:
            yield session

    @contextmanager
    def _writing(self, lock_name: str | None = None) -> Iterator[Session]:
        """A transaction that commits at the end, alone among those that take the same lock."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            if lock_name is not None:
                lock(session.connection(), lock_name)
            yield session

    def check_writable(self) -> None:
        """Begin a writing transaction and change nothing; raises the database's error if it takes
        none.
        """
        with self._writing() as session:
            session.connection()

    # What people asked and were answered

    def record_generation(self, record: GenerationRecord) -> None:
        """Keep a generation and its candidates; raises InvalidText for a name it cannot keep."""
        with self._writing() as session:
            conversations.record(session, record)

    def generation(self, id: str) -> GenerationRecord:
        """The generation; raises NotFound."""
        with self._reading() as session:
            return conversations.generation(session, id)

    def candidate(self, id: str) -> StoredCandidate:
        """The candidate with its generation; raises UnknownCandidate."""
        with self._reading() as session:
            return conversations.candidate(session, id)

    def logged_prompts(self, limit: int) -> list[LoggedPrompt]:
        """The last distinct prompts whose people consented, most recent first."""
        with self._reading() as session:
            return conversations.logged_prompts(session, limit)

    # What people said of the answers

    def add_ranking(
        self,
        *,
        person: str,
        candidates: Sequence[str] | None = None,
        completion_id: str | None = None,
        ranks: Sequence[int | None],
        none_acceptable: bool = False,
        ratings: Mapping[str, Sequence[float | None]] | None = None,
        comment: str | None = None,
        task_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> StoredRanking:
        """Append a ranking of `candidates`, or of a completion's choices in order: 1 is best, None
        unranked.

        The same key with the same body gives the same row, marked `repeated`. Raises InvalidText,
        InvalidRanking, DifferentPrompts, UnknownCandidate or IdempotencyConflict, and then stores
        nothing.
        """
        body = rankings.RankingBody(
            person=person,
            candidates=candidates,
            completion_id=completion_id,
            ranks=ranks,
            none_acceptable=none_acceptable,
            ratings=ratings,
            comment=comment,
            task_id=task_id,
            idempotency_key=idempotency_key,
        )
        with self._writing("rankings") as session:
            return rankings.add(session, body)

    def waiting(self) -> Waiting:
        """The consented, comparable, not superseded rankings that no round has used yet.

        A round that failed or was cancelled has used none.
        """
        with self._reading() as session:
            return training.waiting(session)

    def training_rankings(self, ids: Collection[int] | None = None) -> list[RankedPrompt]:
        """Every ranking to learn from, or those of these ids, oldest first: consented, comparable,
        not superseded.
        """
        with self._reading() as session:
            return training.rankings(session, None if ids is None else training.of(ids))

    def rankings_by_use(self, reward: str) -> tuple[list[int], list[int]]:
        """The ids of the rankings to learn from: those that the reward model's round used, and
        those that it did not; raises UnknownVersion.
        """
        with self._reading() as session:
            return training.ids_by_use(session, versions.get(session, reward).round_id)

    def last_ranking(self) -> int:
        """The id of the last ranking of all, 0 before the first."""
        with self._reading() as session:
            return training.last(session)

    def add_marks(
        self,
        *,
        person: str,
        candidate: str,
        values: Mapping[str, float],
        idempotency_key: str | None = None,
    ) -> StoredMark:
        """Append a mark of a candidate by each of these criteria; a thumb is the criterion `thumb`,
        1 or 0.

        The same key with the same body gives the same rows, marked `repeated`. Raises InvalidText,
        InvalidMark, UnknownCandidate or IdempotencyConflict, and then stores nothing.
        """
        body = marks.MarkBody(person, candidate, dict(values), idempotency_key)
        with self._writing("rankings") as session:
            return marks.add(session, body)

    def training_marks(self, criteria: Collection[str]) -> list[MarkedPrompt]:
        """Every consented mark by these criteria that its person did not replace, one person's of
        one prompt together.
        """
        with self._reading() as session:
            return marks.prompts(session, criteria)

    def waiting_thumbs(self) -> Waiting:
        """The consented thumbs that no finished round has used yet, one person's of one prompt
        counted as one.
        """
        with self._reading() as session:
            return marks.waiting_thumbs(session)

    def add_demonstration(
        self,
        *,
        person: str,
        messages: Sequence[tuple[str, str]],
        conversation_id: str,
        candidate: str | None = None,
        source: str | None = None,
        idempotency_key: str | None = None,
    ) -> StoredDemonstration:
        """Append an ideal answer, or both sides of a conversation, as (role, content) pairs.

        The same key with the same body gives the same row, marked `repeated`. Raises InvalidText,
        InvalidDemonstration, UnknownCandidate or IdempotencyConflict, and then stores nothing.
        """
        body = demonstrations.DemonstrationBody(
            person=person,
            messages=tuple(messages),
            conversation_id=conversation_id,
            candidate=candidate,
            source=source,
            idempotency_key=idempotency_key,
        )
        with self._writing("rankings") as session:
            return demonstrations.add(session, body)

    def waiting_demonstrations(self) -> Waiting:
        """The consented demonstrations that no finished round has used yet."""
        with self._reading() as session:
            return demonstrations.waiting(session)

    def training_demonstrations(self) -> list[StoredDemonstration]:
        """Every consented demonstration, oldest first."""
        with self._reading() as session:
            return demonstrations.consented(session)

    # What reward models say of the answers

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
        """What it takes to score these candidates, in this order; unknown ones are left out."""
        with self._reading() as session:
            return rewards.answers(session, candidates)

    def unscored(self, reward: str, limit: int) -> list[UnscoredAnswer]:
        """Candidates that this reward model has not scored: wanted ones first, then the newest."""
        with self._reading() as session:
            return rewards.unscored(session, reward, limit)

    def add_rewards(
        self, reward: str, found: Mapping[str, Mapping[str, float]], since: int = 0
    ) -> None:
        """Keep figures of candidates, in place of what this reward model said of them before."""
        with self._writing("rewards") as session:
            rewards.add(session, reward, found, since)

    # Versions

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

    # Rounds

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

    def cancelled(self, claim: Claim) -> bool:
        """Has somebody asked for the claim's round to stop? Raises LeaseLost."""
        with self._reading() as session:
            return rounds.cancelled(session, claim)

    def use_rankings(
        self, claim: Claim, ids: Sequence[int], weights: Mapping[int, float] | None = None
    ) -> None:
        """Write down which rankings the round learns from, and what each weighs where that is not
        1; raises LeaseLost, StoreError.
        """
        with self._writing("operations") as session:
            inputs.use(session, claim, ids, weights)

    def used_rankings(self, round_id: int) -> list[RankedPrompt]:
        """The rankings that are written down for the round, with their weights."""
        with self._reading() as session:
            return inputs.used(session, round_id)

    def use_prompts(self, claim: Claim, limit: int) -> list[LoggedPrompt]:
        """The prompts that are written down for the round; for none, the log's last ones, which are
        then. Raises LeaseLost.
        """
        with self._writing("operations") as session:
            return inputs.use_prompts(session, claim, limit)

    def round_inputs(self, id: int) -> list[InputInfo]:
        """The round's rankings, whose they are and what they weigh; raises UnknownRound."""
        with self._reading() as session:
            rounds.get(session, id)
            return inputs.listed(session, id)

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

    # The learner

    def heartbeat(
        self,
        *,
        holder: str,
        state: str,
        next_run_at: float | None = None,
        last_error: str | None = None,
        missing: str | None = None,
    ) -> None:
        """Say that the learner lives; `missing` says why it cannot train this model here."""
        with self._writing("operations") as session:
            presence.heartbeat(
                session,
                holder=holder,
                state=state,
                next_run_at=next_run_at,
                last_error=last_error,
                missing=missing,
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
