"""Versions, their states, and the live pointer that the server follows.

trained -> verified -> live -> retired; rejected; failed. `move` is the one place where a state
changes. The live pointer's moves form a stack: a promotion goes on top, a rollback returns to what
lies below.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from .database import now
from .errors import IllegalMove, NothingToRollBack, UnknownVersion, VersionExists
from .records import LearnedFrom, Live, VersionInfo, VersionMove
from .tables import Counter, LivePointer, Ranking, RoundInput, Version, VersionEvent

MOVES = {
    "trained": {"verified", "rejected", "failed"},
    "verified": {"live", "rejected", "failed"},
    "live": {"retired", "rejected"},
    "retired": {"live", "rejected", "failed"},
    "rejected": {"live"},
    "failed": set[str](),
}


def next_id(session: Session, prefix: str) -> str:
    """The next id with this prefix; none is ever given twice, so a folder left by a crash is never
    reused.
    """
    counter = session.get(Counter, prefix)
    if counter is None:
        counter = Counter(prefix=prefix, last=0)
        session.add(counter)
    counter.last += 1
    return f"{prefix}{counter.last}"


def register(session: Session, row: Version, *, actor: str, reason: str) -> None:
    """Add a version; again is harmless with the same digest, VersionExists with another."""
    known = session.get(Version, row.id)
    if known is not None:
        if known.digest != row.digest:
            message = f"{row.id} is registered already, with the digest {known.digest}"
            raise VersionExists(message, param="version", value=row.id)
        return
    session.add(row)
    session.flush()
    _log(session, row, "", row.state, actor, reason)


def _log(session: Session, row: Version, source: str, target: str, actor: str, reason: str) -> None:
    session.add(
        VersionEvent(
            version_id=row.id,
            from_state=source,
            to_state=target,
            actor=actor,
            reason=reason,
            at=now(session.connection()),
        )
    )


def get(session: Session, id: str) -> Version:
    """The version's row; raises UnknownVersion."""
    row = session.get(Version, id)
    if row is None:
        raise UnknownVersion(f"no version has the id {id!r}", param="version", value=id)
    return row


def move(session: Session, row: Version, target: str, *, actor: str, reason: str) -> None:
    """Change the version's state and write down who did it and why; raises IllegalMove."""
    if target not in MOVES[row.state]:
        message = f"{row.id} is {row.state} and cannot become {target}"
        raise IllegalMove(message, param="version", value=row.id)
    if row.kind == "reward" and target == "live":
        message = f"{row.id} is a reward model: it serves nobody"
        raise IllegalMove(message, param="version", value=row.id)
    if row.kind == "base" and target in ("rejected", "failed"):
        message = f"{row.id} is the starting model: it stays"
        raise IllegalMove(message, param="version", value=row.id)
    _log(session, row, row.state, target, actor, reason)
    row.state = target
    session.flush()


def _pointer(session: Session) -> LivePointer | None:
    return session.exec(select(LivePointer).order_by(col(LivePointer.epoch).desc())).first()


def _beneath(session: Session, pointer: LivePointer) -> LivePointer | None:
    """The next move down the stack whose version may still serve."""
    below = pointer.below
    while below is not None:
        candidate = session.get_one(LivePointer, below)
        state = session.get_one(Version, candidate.version_id).state
        if state == "retired" and candidate.version_id != pointer.version_id:
            return candidate
        below = candidate.below
    return None


def live(session: Session) -> Live:
    """What serves now; raises UnknownVersion before the starting model is installed."""
    pointer = _pointer(session)
    if pointer is None:
        raise UnknownVersion("no version is live yet", param="version", value=None)
    previous = _beneath(session, pointer)
    return Live(
        version=pointer.version_id,
        previous=previous.version_id if previous else None,
        epoch=pointer.epoch,
        since=pointer.at,
    )


def _point(session: Session, id: str, *, epoch: int, below: int | None) -> None:
    at = now(session.connection())
    session.add(LivePointer(epoch=epoch, version_id=id, below=below, at=at))
    session.flush()


def promote(session: Session, id: str, *, actor: str, reason: str, gated: bool) -> Live:
    """Make the version live and retire the one that was; promoting the live one changes nothing.

    `gated` is the learner's promotion, of a version that its gate has just passed: it may be only
    trained, and must not have been rejected or retired since. People may bring those back.
    """
    row = get(session, id)
    if row.state == "live":
        return live(session)
    if gated and row.state == "trained":
        move(session, row, "verified", actor=actor, reason=reason)
    if gated and row.state != "verified":
        message = f"{id} is {row.state}: only a person may promote it"
        raise IllegalMove(message, param="version", value=id)
    top = _pointer(session)
    if "live" in MOVES[row.state] and top is not None:
        old = get(session, top.version_id)
        move(session, old, "retired", actor=actor, reason=f"{id} took its place: {reason}")
    move(session, row, "live", actor=actor, reason=reason)
    _point(session, id, epoch=top.epoch + 1 if top else 1, below=top.epoch if top else None)
    return live(session)


def rollback(session: Session, *, actor: str, reason: str) -> Live:
    """Return to the version that was live before and reject the one that is; raises
    NothingToRollBack.
    """
    top = _pointer(session)
    target = _beneath(session, top) if top else None
    if top is None or target is None:
        message = "no earlier version that may serve was live before this one"
        raise NothingToRollBack(message, param="version", value=top.version_id if top else None)
    bad, good = get(session, top.version_id), get(session, target.version_id)
    fate = "retired" if bad.kind == "base" else "rejected"
    move(session, bad, fate, actor=actor, reason=f"rolled back: {reason}")
    move(session, good, "live", actor=actor, reason=f"rolled back from {bad.id}: {reason}")
    _point(session, good.id, epoch=top.epoch + 1, below=target.below)
    return live(session)


def reject(session: Session, id: str, *, actor: str, reason: str) -> None:
    """Take the version out of the running; the live one is rolled back instead. What the gate had
    rejected is so once more: then no round goes on from it."""
    row = get(session, id)
    if row.state == "live":
        message = f"{id} is live: roll back, or promote another first"
        raise IllegalMove(message, param="version", value=id)
    if row.state == "rejected":
        _log(session, row, row.state, row.state, actor, reason)
    else:
        move(session, row, "rejected", actor=actor, reason=reason)


def learned_from(session: Session, id: str, person: str | None) -> LearnedFrom:
    """The inputs of the round that made the version, and the person's share of them."""
    round_id = get(session, id).round_id
    return _inputs(session, [round_id], person).get(round_id, LearnedFrom(0, 0))


def _inputs(
    session: Session, rounds: Sequence[int | None], person: str | None
) -> dict[int | None, LearnedFrom]:
    yours = func.count().filter(col(Ranking.person) == person)
    rows = session.exec(
        select(RoundInput.round_id, func.count(), yours)
        .join(Ranking, col(Ranking.id) == RoundInput.ranking_id)
        .where(col(RoundInput.round_id).in_({id for id in rounds if id is not None}))
        .where(RoundInput.weight > 0)
        .group_by(col(RoundInput.round_id))
    )
    return {round_id: LearnedFrom(all, mine) for round_id, all, mine in rows}


def infos(session: Session, rows: Sequence[Version], person: str | None) -> list[VersionInfo]:
    """The versions with their moves, and what they learned from."""
    inputs = _inputs(session, [row.round_id for row in rows], person)
    events: dict[str, list[VersionMove]] = defaultdict(list)
    for event in session.exec(
        select(VersionEvent)
        .where(col(VersionEvent.version_id).in_([row.id for row in rows]))
        .order_by(col(VersionEvent.id))
    ):
        events[event.version_id].append(
            VersionMove(event.from_state, event.to_state, event.actor, event.reason, event.at)
        )
    return [_info(row, events[row.id], inputs.get(row.round_id, LearnedFrom(0, 0))) for row in rows]


def _info(row: Version, events: Sequence[VersionMove], inputs: LearnedFrom) -> VersionInfo:
    figures: dict[str, Any] = row.figures
    return VersionInfo(
        id=row.id,
        kind=row.kind,
        state=row.state,
        digest=row.digest,
        parent=row.parent,
        round_id=row.round_id,
        reward_id=row.reward_id,
        figures=figures,
        created_at=row.created_at,
        events=tuple(events),
        learned_from=inputs,
    )


def everything(session: Session, *, reward: bool) -> Sequence[Version]:
    """The policies, or the reward models, oldest first."""
    kind = col(Version.kind)
    return session.exec(
        select(Version)
        .where(kind == "reward" if reward else kind != "reward")
        .order_by(col(Version.created_at), col(Version.id))
    ).all()


def install_base(session: Session, id: str, digest: str) -> None:
    """Register the starting model, and make it live if nothing is."""
    row = Version(
        id=id,
        kind="base",
        state="verified",
        digest=digest,
        parent=None,
        round_id=None,
        reward_id=None,
        figures={},
        created_at=now(session.connection()),
    )
    register(session, row, actor="rankloop", reason="the starting model")
    if _pointer(session) is None:
        promote(session, id, actor="rankloop", reason="the starting model", gated=False)
