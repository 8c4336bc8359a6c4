"""The live pointer that the server follows. Its moves form a stack: a promotion goes on top, a
rollback returns to what lies below.

What a person promotes is pinned: nothing but a person, or a passed gate under `learner.mode` auto,
puts another in its place. A move of the pointer ends the trial of a canary, which was against the
version that was live.
"""

from __future__ import annotations

from sqlmodel import Session, col, select

from . import canaries, transitions
from .database import now
from .errors import IllegalMove, NothingToRollBack, PointerMoved, UnknownVersion
from .records import Live
from .tables import LivePointer, Version
from .versions import Evidence, get, log, move, register


def _pointer(session: Session) -> LivePointer | None:
    return session.exec(select(LivePointer).order_by(col(LivePointer.epoch).desc())).first()


def _beneath(session: Session, pointer: LivePointer) -> LivePointer | None:
    """The next move down the stack whose version may still serve."""
    below = pointer.below
    while below is not None:
        candidate = session.get_one(LivePointer, below)
        version = session.get_one(Version, candidate.version_id)
        may_serve = version.state == "retired" and version.pruned_at is None
        if may_serve and version.id != pointer.version_id:
            return candidate
        below = candidate.below
    return None


def live(session: Session) -> Live:
    """What serves now, and what is tried beside it; raises UnknownVersion before the starting model
    is installed.
    """
    pointer = _pointer(session)
    if pointer is None:
        raise UnknownVersion("no version is live yet", param="version", value=None)
    previous = _beneath(session, pointer)
    canary = canaries.current(session)
    return Live(
        version=pointer.version_id,
        previous=previous.version_id if previous else None,
        epoch=pointer.epoch,
        since=pointer.at,
        pinned_by=pointer.pinned_by,
        canary=canary.version_id if canary else None,
        share=canary.share if canary else None,
    )


def live_at(session: Session, at: float) -> str | None:
    """The version that was live at this time."""
    query = select(LivePointer.version_id).where(col(LivePointer.at) <= at)
    return session.exec(query.order_by(col(LivePointer.epoch).desc()).limit(1)).first()


def _point(
    session: Session, id: str, *, epoch: int, below: int | None, pinned_by: str | None = None
) -> None:
    at = now(session.connection())
    session.add(LivePointer(epoch=epoch, version_id=id, below=below, at=at, pinned_by=pinned_by))
    session.flush()
    _end_trial(session, id)


def _end_trial(session: Session, live_id: str) -> None:
    canary = canaries.current(session)
    if canary is not None:
        reason = f"{live_id} is live now, and the trial was against {canary.live_id}"
        row = get(session, canary.version_id)
        move(session, row, "verified", actor="rankloop", reason=reason)


def promote(
    session: Session,
    id: str,
    *,
    actor: str,
    reason: str,
    gated: bool = False,
    pinned: bool = False,
    evidence: Evidence | None = None,
) -> Live:
    """Make the version live and retire the one that was; promoting the live one changes nothing.

    `gated` is the learner's promotion, of a version that its gate has just passed: it may be only
    trained, and must not have been rejected or retired since. People may bring those back, and what
    they promote is `pinned`.
    """
    row = get(session, id)
    if row.state == "live":
        return live(session)
    if gated and row.state == "trained":
        move(session, row, "verified", actor=actor, reason=reason)
    if gated and row.state != "verified":
        message = f"{id} is {row.state}: only a person may promote it to live"
        raise IllegalMove(message, param="version", value=id)
    top = _pointer(session)
    if top is not None and transitions.allowed(row.kind, row.state, "live"):
        old = get(session, top.version_id)
        move(session, old, "retired", actor=actor, reason=f"{id} took its place: {reason}")
    move(session, row, "live", actor=actor, reason=reason, evidence=evidence)
    _point(
        session,
        id,
        epoch=top.epoch + 1 if top else 1,
        below=top.epoch if top else None,
        pinned_by=actor if pinned else None,
    )
    return live(session)


def roll_back(
    session: Session, *, actor: str, reason: str, epoch: int | None = None
) -> tuple[str, Live]:
    """Return to the version that was live before and reject the one that is, whose id is told;
    with an `epoch` only if the pointer has not moved since. Raises NothingToRollBack, PointerMoved.
    """
    top = _pointer(session)
    if top is not None and epoch not in (None, top.epoch):
        message = f"the live pointer has moved on to {top.version_id} since epoch {epoch}"
        raise PointerMoved(message, param="version", value=top.version_id)
    target = _beneath(session, top) if top else None
    if top is None or target is None:
        message = "no earlier version that may serve was live before this one"
        raise NothingToRollBack(message, param="version", value=top.version_id if top else None)
    bad, good = get(session, top.version_id), get(session, target.version_id)
    fate = "retired" if bad.kind == "base" else "rejected"
    move(session, bad, fate, actor=actor, reason=f"rolled back: {reason}")
    move(session, good, "live", actor=actor, reason=f"rolled back from {bad.id}: {reason}")
    _point(session, good.id, epoch=top.epoch + 1, below=target.below)
    return bad.id, live(session)


def pinned_by(session: Session) -> str | None:
    """Who holds the live version in its place."""
    top = _pointer(session)
    return top.pinned_by if top else None


def pin(session: Session, id: str, *, pinned: bool, actor: str, reason: str) -> None:
    """Hold the live version in its place, or let go of it; raises UnknownVersion, and IllegalMove
    for any other version.
    """
    row, top = get(session, id), _pointer(session)
    if row.state != "live" or top is None:
        message = f"{id} is {row.state}: only the version that is live can be pinned"
        raise IllegalMove(message, param="version", value=id)
    if (top.pinned_by is not None) != pinned:
        top.pinned_by = actor if pinned else None
        what = "pinned" if pinned else "no longer pinned"
        log(session, row, row.state, actor=actor, reason=f"{what}: {reason}")


def begin_canary(
    session: Session, id: str, *, share: float | None, actor: str, reason: str
) -> None:
    """Try the version on a share of the people, against the live one; raises UnknownVersion,
    IllegalMove.
    """
    row, trial = get(session, id), canaries.current(session)
    if trial is not None:
        message = f"{id} is {row.state} and cannot become canary: {trial.version_id} is canary"
        raise IllegalMove(message, param="version", value=id)
    against = live(session).version
    move(session, row, "canary", actor=actor, reason=reason)
    canaries.begin(session, id, against, share)


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
        promote(session, id, actor="rankloop", reason="the starting model")
