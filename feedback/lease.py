"""The learner's lease: one row, one holder, an epoch that rises with every claim.

A lease is not a mutex: its holder may stall past the end and wake up. So every write under a claim
checks, in its own transaction and on the database's clock, that the claim's epoch is still the
lease's and that it has not expired.
"""

from __future__ import annotations

from sqlmodel import Session

from .database import now
from .errors import LeaseLost
from .records import Claim, LeaseInfo
from .tables import Lease

ROUNDING_S = 1.0


def row(session: Session) -> Lease:
    """The lease's row, made when first asked for by a writer."""
    lease = session.get(Lease, 1)
    if lease is None:
        lease = Lease()
        session.add(lease)
    return lease


def _left_s(session: Session, lease: Lease) -> float:
    """Seconds for which it still holds; none where nobody has it."""
    return lease.expires_at - now(session.connection()) if lease.holder is not None else 0.0


def held(session: Session) -> bool:
    """Does somebody hold an unexpired lease? One that would hold for longer than it was ever given
    is from before the clock was set back: whoever lives renews it soon, and nobody waits for it.
    """
    lease = session.get(Lease, 1)
    return lease is not None and 0 < _left_s(session, lease) <= lease.ttl_s + ROUNDING_S


def take(session: Session, holder: str, round_id: int, ttl_s: float) -> Claim:
    """Give the free lease to the holder, under the next epoch."""
    assert not held(session), "only a free lease is taken"
    lease = row(session)
    lease.epoch += 1
    lease.holder, lease.round_id = holder, round_id
    lease.expires_at, lease.ttl_s = now(session.connection()) + ttl_s, ttl_s
    return Claim(round_id=round_id, epoch=lease.epoch, holder=holder)


def fence(session: Session, claim: Claim | None) -> None:
    """Raise LeaseLost unless the claim holds; None, an operator's act, is not fenced."""
    if claim is None:
        return
    lease = session.get(Lease, 1, populate_existing=True)
    if lease is None or lease.epoch != claim.epoch or lease.round_id != claim.round_id:
        epoch = "none" if lease is None else lease.epoch
        message = f"{claim.holder} lost the lease: its epoch is {claim.epoch}, now it is {epoch}"
        raise LeaseLost(message, param="epoch", value=claim.epoch)
    if _left_s(session, lease) <= 0:
        message = f"the lease of {claim.holder} under epoch {claim.epoch} has expired"
        raise LeaseLost(message, param="epoch", value=claim.epoch)


def renew(session: Session, claim: Claim, ttl_s: float) -> None:
    """Let the claim hold for so many seconds from now; raises LeaseLost."""
    fence(session, claim)
    lease = row(session)
    lease.expires_at, lease.ttl_s = now(session.connection()) + ttl_s, ttl_s


def release(session: Session, claim: Claim) -> None:
    """Free the lease; raises LeaseLost."""
    fence(session, claim)
    row(session).holder = None


def revoke(session: Session) -> None:
    """Take the lease from whoever holds it: the epoch rises, so that their claim holds no more."""
    lease = row(session)
    lease.epoch += 1
    lease.holder = None


def info(session: Session) -> LeaseInfo | None:
    """Who holds it, if anybody."""
    lease = session.get(Lease, 1)
    if lease is None or lease.holder is None or not held(session):
        return None
    return LeaseInfo(lease.holder, lease.epoch, _left_s(session, lease))
