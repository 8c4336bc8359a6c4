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


def row(session: Session) -> Lease:
    """The lease's row, made when first asked for by a writer."""
    lease = session.get(Lease, 1)
    if lease is None:
        lease = Lease()
        session.add(lease)
    return lease


def held(session: Session) -> bool:
    """Does somebody hold an unexpired lease?"""
    lease = session.get(Lease, 1)
    return (
        lease is not None
        and lease.holder is not None
        and lease.expires_at > now(session.connection())
    )


def take(session: Session, holder: str, round_id: int, ttl_s: float) -> Claim:
    """Give the free lease to the holder, under the next epoch."""
    assert not held(session), "only a free lease is taken"
    lease = row(session)
    lease.epoch += 1
    lease.holder, lease.round_id = holder, round_id
    lease.expires_at = now(session.connection()) + ttl_s
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
    if not held(session):
        message = f"the lease of {claim.holder} under epoch {claim.epoch} has expired"
        raise LeaseLost(message, param="epoch", value=claim.epoch)


def renew(session: Session, claim: Claim, ttl_s: float) -> None:
    """Let the claim hold for so many seconds from now; raises LeaseLost."""
    fence(session, claim)
    row(session).expires_at = now(session.connection()) + ttl_s


def release(session: Session, claim: Claim) -> None:
    """Free the lease; raises LeaseLost."""
    fence(session, claim)
    row(session).holder = None


def info(session: Session) -> LeaseInfo | None:
    """Who holds it, if anybody."""
    lease = session.get(Lease, 1)
    if lease is None or lease.holder is None:
        return None
    left = lease.expires_at - now(session.connection())
    return LeaseInfo(lease.holder, lease.epoch, left) if left > 0 else None
