"""feedback.lease: the fence, through the store, on both databases, and between real processes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from feedback.errors import LeaseLost
from feedback.records import Claim
from feedback.store import Store
from tests.feedback_databases import execute

WRITES: dict[str, Callable[[Store, Claim], object]] = {
    "renew": lambda store, claim: store.renew(claim, ttl_s=60),
    "cancelled": lambda store, claim: store.cancelled(claim),
    "use_rankings": lambda store, claim: store.use_rankings(claim, []),
    "use_prompts": lambda store, claim: store.use_prompts(claim, 1),
    "forget_metrics": lambda store, claim: store.forget_metrics(claim),
    "progress": lambda store, claim: store.progress(claim, stage="ppo", step=1, steps=2),
    "add_metrics": lambda store, claim: store.add_metrics(
        claim, stage="ppo", step=1, values={"kl": 1.0}
    ),
    "register_version": lambda store, claim: store.register_version(
        "v2", digest="d", parent="v0", kind="full", claim=claim
    ),
    "verify": lambda store, claim: store.verify("v1", actor="learner", reason="?", claim=claim),
    "fail": lambda store, claim: store.fail("v1", actor="learner", reason="?", claim=claim),
    "promote": lambda store, claim: store.promote("v1", actor="learner", reason="?", claim=claim),
    "reject": lambda store, claim: store.reject("v1", actor="learner", reason="?", claim=claim),
    "finish_round": lambda store, claim: store.finish_round(
        claim, outcome="promoted", version_id="v1"
    ),
}


@pytest.fixture(autouse=True)
def _a_trained_version_in_an_open_round(store: Store) -> None:
    store.install_base(digest="d0")
    round_id = store.request_round(trigger="operator", actor="ann").id
    store.register_version("v1", digest="d1", parent="v0", kind="full", round_id=round_id)


def claim(store: Store, holder: str = "one", ttl_s: float = 60.0) -> Claim:
    """The lease, which must be free."""
    claim = store.claim_round(holder, ttl_s)
    assert claim is not None
    return claim


def test_only_one_learner_holds_the_lease(store: Store) -> None:
    """The second gets none, whatever it calls itself, until the first has finished its round."""
    first = claim(store)
    assert store.claim_round("two", ttl_s=60) is None
    assert store.claim_round("one", ttl_s=60) is None
    store.finish_round(first, outcome="needs_feedback")
    store.request_round(trigger="operator", actor="ann")
    second = claim(store, "two")
    assert (first.epoch, second.epoch, second.holder) == (1, 2, "two")


def test_an_expired_lease_is_taken_over_with_its_round(store: Store) -> None:
    """The round is the same, the epoch is one higher, and it was first claimed when it was."""
    first = claim(store, ttl_s=0.0)
    claimed_at = store.round(first.round_id).claimed_at
    second = claim(store, "two")
    assert (second.round_id, second.epoch) == (first.round_id, first.epoch + 1)
    info = store.round(first.round_id)
    assert (info.claimed_at, info.attempts, info.state) == (claimed_at, 2, "running")


@pytest.mark.parametrize("write", WRITES)
def test_a_holder_that_was_overtaken_can_write_nothing(store: Store, write: str) -> None:
    """Every write under the old claim is refused, and leaves all as it was."""
    old = claim(store, ttl_s=0.0)
    claim(store, "two")
    before = (store.rounds(), store.versions(), store.live())
    with pytest.raises(LeaseLost, match="epoch is 1, now it is 2") as lost:
        WRITES[write](store, old)
    assert lost.value.value == old.epoch
    assert (store.rounds(), store.versions(), store.live()) == before


@pytest.mark.parametrize("write", WRITES)
def test_an_expired_holder_can_write_nothing_even_if_nobody_overtook_it(
    store: Store, write: str
) -> None:
    """By the time that its write arrives, somebody may have."""
    expired = claim(store, ttl_s=0.0)
    with pytest.raises(LeaseLost, match="expired"):
        WRITES[write](store, expired)


@pytest.mark.parametrize("write", WRITES)
def test_the_holder_of_the_lease_can_write(store: Store, write: str) -> None:
    """What the fence refuses to others is allowed to it."""
    WRITES[write](store, claim(store))


def test_a_finished_round_is_closed_for_its_holder_too(store: Store) -> None:
    """The claim ends with the round."""
    held = claim(store)
    store.finish_round(held, outcome="failed", error="out of memory")
    with pytest.raises(LeaseLost):
        store.promote("v1", actor="learner", reason="?", claim=held)


def test_a_renewed_lease_lives_on(store: Store) -> None:
    """Renewed for a minute, it is held after its first second is long over."""
    held = claim(store, ttl_s=1.0)
    store.renew(held, ttl_s=60)
    info = store.learner().lease
    assert info is not None
    assert (info.holder, info.epoch) == ("one", 1)
    assert info.expires_in_s == pytest.approx(60, abs=5)


LEARNER = """
import sys
from feedback.errors import LeaseLost
from feedback.store import Store
from tests.feedback_databases import execute

store = Store.open(sys.argv[1])
claim = store.claim_round("stalled", ttl_s=0.2)
print("claimed", claim.epoch, flush=True)
sys.stdin.readline()
try:
    store.promote("v1", actor="stalled", reason="passed", claim=claim)
    print("promoted")
except LeaseLost:
    print("lost")
store.close()
"""


def test_a_stalled_process_that_wakes_up_cannot_publish(store: Store, url: str) -> None:
    """It claims, stalls past the lease's end, another takes over, and its promotion is refused."""
    command = [sys.executable, "-c", LEARNER, url]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as stalled:
        assert stalled.stdout is not None
        assert stalled.stdout.readline() == "claimed 1\n"
        time.sleep(0.25)
        overtaking = claim(store, "two")
        answer, _ = stalled.communicate("wake up\n", timeout=30)
    assert answer == "lost\n"
    assert store.live().version == "v0"
    live = store.promote("v1", actor="two", reason="passed", claim=overtaking)
    assert live.version == "v1"


def test_a_clock_that_is_set_back_keeps_nobody_waiting(store: Store, url: str) -> None:
    """By an hour, as if it had been an hour later when the lease was given: whoever died with it is
    not waited for. Whoever lives may write and renew, until another has taken it.
    """
    first = claim(store)
    execute(url, "UPDATE lease SET expires_at = expires_at + 3600")
    store.progress(first, stage="ppo", step=1, steps=2)
    assert store.learner().lease is None
    store.renew(first, 60.0)
    assert store.claim_round("two", 60.0) is None
    execute(url, "UPDATE lease SET expires_at = expires_at + 3600")
    claim(store, "two")
    with pytest.raises(LeaseLost):
        store.renew(first, 60.0)
