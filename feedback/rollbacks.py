"""A rollback: another version serves at once, and nothing of the bad one goes on.

The round that runs is ended and its claim made invalid: it began from the version that is rejected,
or was measured against it. What it used waits for the next round, which goes on from the version
that serves again.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from . import pointer, quarantine, rounds
from .records import Live


@dataclass(frozen=True)
class RolledBack:
    """What a rollback did: what is live now, the version that was rejected (or, the starting model,
    retired), the round that was ended, how many rankings were set aside.
    """

    live: Live
    version: str
    round_id: int | None
    set_aside: int


def roll_back(
    session: Session, *, actor: str, reason: str, set_aside: bool, epoch: int | None
) -> RolledBack:
    """Return to the version that was live before, reject the one that is, end the round that runs;
    `set_aside`: and let no round learn from rankings of its answers. With an `epoch` only if the
    pointer has not moved since. Raises NothingToRollBack, PointerMoved.
    """
    bad, live = pointer.roll_back(session, actor=actor, reason=reason, epoch=epoch)
    ended = rounds.fence_off(session, actor=actor, reason=f"{bad} was rolled back: {reason}")
    why = f"{bad} was rolled back: {reason}"
    count = quarantine.set_aside(session, bad, actor=actor, reason=why) if set_aside else 0
    return RolledBack(live, bad, ended, count)
