"""Which versions' files are no longer needed, a rule at a time, on both databases."""

from __future__ import annotations

import pytest

from feedback.errors import IllegalMove
from feedback.store import Store
from tests.test_feedback_versions import add, promote


@pytest.fixture(autouse=True)
def _base(store: Store) -> None:
    """v0, and four versions that were live in turn; v4 is."""
    store.install_base(digest="digest of v0")
    for id in ("v1", "v2", "v3", "v4"):
        add(store, id)
        promote(store, id)


def test_live_its_predecessor_and_the_first_stay(store: Store) -> None:
    """v4 is live and v3 was; v0 is the oldest of all."""
    assert sorted(store.prune_versions(1, ())) == ["v1", "v2"]


def test_the_newest_stay(store: Store) -> None:
    """Of v0 to v4 the newest four are v1 and those after it: nothing goes."""
    assert store.prune_versions(4, ()) == []
    assert store.prune_versions(3, ()) == ["v1"]


def test_a_canary_stays(store: Store) -> None:
    """However long ago it was live."""
    store.begin_canary("v1", actor="ann", reason="once more")
    assert store.prune_versions(1, ()) == ["v2"]


def test_a_pinned_version_stays(store: Store) -> None:
    """A pin holds what is live, which stays for that alone; after it, it is one like others."""
    store.promote("v1", actor="ann", reason="the best")
    assert sorted(store.prune_versions(1, ())) == ["v2", "v3"]
    promote(store, "v4")
    assert store.live().previous == "v1"
    add(store, "v5")
    promote(store, "v5")
    assert store.prune_versions(1, ()) == ["v1"]


@pytest.mark.parametrize("state", ["trained", "verified", "shadow"])
def test_what_waits_for_a_decision_stays(store: Store, state: str) -> None:
    """A person may want it yet; once it is rejected nobody does."""
    add(store, "v5", state=state)
    add(store, "v6", state="rejected")
    assert sorted(store.prune_versions(1, ())) == ["v1", "v2"]
    store.reject("v5", actor="ann", reason="no")
    assert store.prune_versions(1, ()) == ["v5"]


def test_what_the_learner_needs_stays(store: Store) -> None:
    """Such as the version that rounds are held near."""
    assert store.prune_versions(1, {"v1"}) == ["v2"]


def test_reward_models_go_with_the_policies_that_they_made(store: Store) -> None:
    """The newest stay, and those of what stays: r1 is v1's, r4 v4's, and r9 the newest."""
    for id in ("r1", "r4", "r9"):
        add(store, id, state="trained", kind="reward")
    for id, reward in (("v5", "r1"), ("v6", "r4")):
        store.register_version(
            id, digest=id, parent="v0", kind="full", state="rejected", reward_id=reward
        )
    assert sorted(store.prune_versions(1, ())) == ["r1", "v1", "v2", "v5"]


def test_what_has_gone_is_told_once_and_stays_on_record(store: Store) -> None:
    """With its moves, and as one that is pruned."""
    store.prune_versions(1, ())
    assert store.prune_versions(1, ()) == []
    assert sorted(store.pruned_versions()) == ["v1", "v2"]
    assert store.version("v1").pruned
    assert len(store.version("v1").events) > 1
    assert not store.version("v4").pruned


def test_nobody_brings_back_what_has_gone(store: Store) -> None:
    """Neither a person nor a rollback, which goes past it to v0."""
    store.prune_versions(1, ())
    with pytest.raises(IllegalMove, match="files of v1 were removed"):
        store.promote("v1", actor="ann", reason="back")
    with pytest.raises(IllegalMove, match="files of v2 were removed"):
        store.begin_canary("v2", actor="ann", reason="back")
    store.rollback(actor="ann", reason="bad")
    assert store.live().version == "v3"
    assert store.live().previous == "v0"
