"""Learning rounds: asked for, claimed, written to under the claim's fence, finished.

queued -> running -> done, failed or cancelled. At most one is queued or running.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import takewhile
from typing import Any

from sqlalchemy import delete, func
from sqlmodel import Session, col, select

from . import canaries, demonstrations, down_weightings, inputs, lease, pointer, training, versions
from .database import now
from .errors import IllegalMove, UnknownRound
from .records import Claim, Failures, MetricPoint, Reason, RoundInfo
from .tables import Learner, Metric, Round, RoundInput, Version

OPEN = ("queued", "running")
OUTCOMES = {
    "promoted": "done",
    "canary": "done",
    "shadow": "done",
    "rejected": "done",
    "verified": "done",
    "needs_feedback": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}
ATTEMPTS = 3


def request(session: Session, *, trigger: str, stages: Sequence[str] | None, actor: str) -> Round:
    """Queue a round, or give the one that is queued or running already."""
    row = open_round(session)
    if row is None:
        row = Round(
            trigger=trigger,
            stages=None if stages is None else list(stages),
            actor=actor,
            created_at=now(session.connection()),
        )
        session.add(row)
        session.flush()
    return row


def open_round(session: Session) -> Round | None:
    """The round that is queued or running."""
    return session.exec(
        select(Round).where(col(Round.state).in_(OPEN)).order_by(col(Round.id))
    ).first()


def claim(session: Session, holder: str, ttl_s: float) -> Claim | None:
    """Claim the open round, if nobody holds the lease and the learner is not paused.

    A running round without a lease was abandoned: it is taken over, or ended if it was cancelled
    meanwhile or was abandoned three times (it may be what kills the learner).
    """
    learner = session.get(Learner, 1)
    if lease.held(session) or (learner is not None and learner.paused):
        return None
    row = open_round(session)
    if row is None or row.id is None:
        return None
    if row.cancelled_by is not None:
        _end(session, row, "cancelled")
        return None
    if row.attempts >= ATTEMPTS:
        row.error = f"abandoned {ATTEMPTS} times by a learner that died or stalled"
        _end(session, row, "failed")
        return None
    row.state, row.attempts = "running", row.attempts + 1
    row.claimed_at = row.claimed_at or now(session.connection())
    return lease.take(session, holder, row.id, ttl_s)


def hand_back(session: Session, claim: Claim, *, counted: bool) -> None:
    """Free the lease of a round that is to go on later; `counted`: it was one of its attempts.

    Raises LeaseLost.
    """
    lease.release(session, claim)
    if not counted:
        get(session, claim.round_id).attempts -= 1


def failures(session: Session) -> Failures:
    """The rounds that failed since the last one that did not."""
    ended = session.exec(
        select(Round)
        .where(col(Round.outcome).is_not(None), Round.outcome != "cancelled")
        .order_by(col(Round.id).desc())
        .limit(20)
    ).all()
    failed = list(takewhile(lambda row: row.outcome == "failed", ended))
    if not failed or failed[0].decided_at is None:
        return Failures(0, None)
    return Failures(len(failed), max(0.0, now(session.connection()) - failed[0].decided_at))


def get(session: Session, id: int) -> Round:
    """The round's row; raises UnknownRound."""
    row = session.get(Round, id)
    if row is None:
        raise UnknownRound(f"no round has the id {id}", param="round", value=id)
    return row


def cancelled(session: Session, claim: Claim) -> bool:
    """Has somebody asked for this round to stop? Raises LeaseLost."""
    lease.fence(session, claim)
    return get(session, claim.round_id).cancelled_by is not None


def progress(
    session: Session, claim: Claim, *, stage: str, step: int, steps: int, eta_s: float | None
) -> None:
    """Show where the round is; raises LeaseLost."""
    lease.fence(session, claim)
    row = get(session, claim.round_id)
    row.stage, row.step, row.steps, row.eta_s = stage, step, steps, eta_s


def add_metrics(
    session: Session, claim: Claim, *, stage: str, step: int, values: Mapping[str, float]
) -> None:
    """Keep a step's figures; a step that is written again keeps the last value of each.

    Raises LeaseLost.
    """
    lease.fence(session, claim)
    row = session.get(Metric, (claim.round_id, stage, step))
    if row is None:
        at = now(session.connection())
        row = Metric(round_id=claim.round_id, stage=stage, step=step, at=at, figures={})
        session.add(row)
    row.figures = {**row.figures, **values}


def forget_metrics(session: Session, claim: Claim) -> None:
    """The round starts over: what its steps were like before is no longer its own.

    Raises LeaseLost.
    """
    lease.fence(session, claim)
    session.exec(delete(Metric).where(col(Metric.round_id) == claim.round_id))


def finish(
    session: Session,
    claim: Claim,
    *,
    outcome: str,
    reasons: Sequence[Reason],
    version_id: str | None,
    reward_id: str | None,
    reward: Mapping[str, Any] | None,
    error: str | None,
) -> Round:
    """End the round, bring its version to the state that the outcome says, free the lease.

    Raises LeaseLost.
    """
    lease.fence(session, claim)
    assert outcome in OUTCOMES, f"an outcome is one of {', '.join(OUTCOMES)}"
    row = get(session, claim.round_id)
    row.version_id, row.reward_id, row.error = version_id, reward_id, error
    row.reasons = [asdict(reason) for reason in reasons]
    row.reward = None if reward is None else dict(reward)
    _settle(session, row, outcome, reasons, claim.holder)
    _end(session, row, outcome)
    if row.state == "done":
        training.dequeue(session, claim.round_id)
    lease.release(session, claim)
    return row


def _settle(
    session: Session, row: Round, outcome: str, reasons: Sequence[Reason], actor: str
) -> None:
    """No version of a round that is over is left undecided."""
    text = "; ".join(reason.text for reason in reasons) or f"round {row.id}: {outcome}"
    undecided = session.exec(
        select(Version).where(
            Version.round_id == row.id,
            col(Version.state).in_(("trained", "verified")),
            Version.kind != "reward",
        )
    )
    for version in undecided.all():
        if version.id != row.version_id:
            left = f"left behind by an attempt at round {row.id} that did not end"
            versions.move(session, version, "failed", actor=actor, reason=left)
        elif outcome in ("canary", "shadow"):
            _try(session, version, outcome, actor=actor, reason=text)
        elif outcome == "promoted":
            pointer.promote(session, version.id, actor=actor, reason=text, gated=True)
        elif outcome != version.state:
            target = outcome if outcome in ("verified", "rejected") else "failed"
            versions.move(session, version, target, actor=actor, reason=row.error or text)


def _try(session: Session, version: Version, outcome: str, *, actor: str, reason: str) -> None:
    """The gate passed it: let some people have its answers, unless another is tried already; or
    nobody.
    """
    if version.state == "trained":
        versions.move(session, version, "verified", actor=actor, reason=reason)
    if outcome == "shadow":
        versions.move(session, version, "shadow", actor=actor, reason=reason)
    elif canaries.current(session) is None:
        pointer.begin_canary(session, version.id, share=None, actor=actor, reason=reason)


def _end(session: Session, row: Round, outcome: str) -> None:
    row.state, row.outcome = OUTCOMES[outcome], outcome
    row.eta_s = None
    row.decided_at = now(session.connection())


def cancel(session: Session, id: int, actor: str) -> Round:
    """Ask the round to stop; one that no learner holds ends at once.

    Raises UnknownRound, IllegalMove.
    """
    row = get(session, id)
    if row.state not in OPEN:
        if row.state == "cancelled":
            return row
        raise IllegalMove(f"round {id} is over: {row.state}", param="round", value=id)
    row.cancelled_by = row.cancelled_by or actor
    if row.state == "queued" or not lease.held(session):
        _end(session, row, "cancelled")
    return row


def fence_off(session: Session, *, actor: str, reason: str) -> int | None:
    """End the round that runs and make its claim invalid, so that it can publish nothing more; its
    id, if one ran.
    """
    row = open_round(session)
    if row is None or row.state != "running":
        return None
    lease.revoke(session)
    row.cancelled_by, row.error = row.cancelled_by or actor, reason
    _settle(session, row, "cancelled", (), actor)
    _end(session, row, "cancelled")
    return row.id


def infos(session: Session, rows: Sequence[Round]) -> list[RoundInfo]:
    """The rounds with the number of their inputs."""
    counts = dict(
        session.exec(
            select(RoundInput.round_id, func.count())
            .where(col(RoundInput.round_id).in_([row.id for row in rows]), RoundInput.weight > 0)
            .group_by(col(RoundInput.round_id))
        ).all()
    )
    ids = [row.id for row in rows]
    shown, left_out = demonstrations.counts(session, ids), inputs.left_out(session, ids)
    less = down_weightings.counts(session, ids)
    return [
        replace(
            _info(row, counts.get(id, 0), shown.get(id, 0), less.get(id, (0, 0))),
            left_out=left_out.get(id, (0, 0))[0],
            held_back=left_out.get(id, (0, 0))[1],
        )
        for row in rows
        if (id := row.id) is not None
    ]


def _info(row: Round, rankings: int, demonstrations: int, less: tuple[int, int]) -> RoundInfo:
    assert row.id is not None
    return RoundInfo(
        id=row.id,
        state=row.state,
        outcome=row.outcome,
        trigger=row.trigger,
        stages=None if row.stages is None else tuple(row.stages),
        stage=row.stage,
        step=row.step,
        steps=row.steps,
        eta_s=row.eta_s,
        rankings=rankings,
        demonstrations=demonstrations,
        version_id=row.version_id,
        reward_id=row.reward_id,
        reasons=tuple(Reason(**reason) for reason in row.reasons),
        reward=row.reward,
        error=row.error,
        created_at=row.created_at,
        claimed_at=row.claimed_at,
        decided_at=row.decided_at,
        attempts=row.attempts,
        cancel_requested=row.cancelled_by is not None,
        repeat_of=row.repeat_of,
        without=tuple(row.without or ()),
        distrusted=less[0],
        lighter=less[1],
    )


def latest(session: Session, limit: int) -> Sequence[Round]:
    """The last rounds, newest first."""
    return session.exec(select(Round).order_by(col(Round.id).desc()).limit(limit)).all()


def metrics(session: Session, round_id: int) -> list[MetricPoint]:
    """The figures of all steps in the order of their first writing; raises UnknownRound."""
    get(session, round_id)
    rows = session.exec(
        select(Metric).where(Metric.round_id == round_id).order_by(col(Metric.at), col(Metric.step))
    )
    return [MetricPoint(row.stage, row.step, row.at, row.figures) for row in rows]
