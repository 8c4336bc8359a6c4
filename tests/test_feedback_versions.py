"""feedback.versions, through the store, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from feedback.errors import IllegalMove, NothingToRollBack, UnknownVersion, VersionExists
from feedback.records import LearnedFrom
from feedback.store import Store
from tests.feedback_databases import a_generation, execute


@pytest.fixture(autouse=True)
def _base(store: Store) -> None:
    store.install_base(digest="digest of v0")


def add(store: Store, id: str, *, state: str = "verified", kind: str = "full") -> None:
    """A version in this state."""
    store.register_version(id, digest=f"digest of {id}", parent="v0", kind=kind, state=state)


def promote(store: Store, *ids: str) -> None:
    """Make each live in turn."""
    for id in ids:
        store.promote(id, actor="ann", reason=f"try {id}")


def states(store: Store) -> dict[str, str]:
    """Each policy's state."""
    return {version.id: version.state for version in store.versions()}


def test_the_starting_model_is_live_at_once_and_stays_when_installed_again(store: Store) -> None:
    """A second start finds v0 and moves nothing."""
    first = store.live()
    assert (first.version, first.previous, first.epoch) == ("v0", None, 1)
    store.install_base(digest="digest of v0")
    assert store.live() == first
    assert len(store.version("v0").events) == 2


def test_installing_it_again_takes_nothing_back(store: Store) -> None:
    """The version that was promoted meanwhile stays live over a restart."""
    add(store, "v1")
    promote(store, "v1")
    store.install_base(digest="digest of v0")
    assert store.live().version == "v1"


def test_another_starting_model_is_refused(store: Store) -> None:
    """One id never stands for two digests."""
    with pytest.raises(VersionExists, match="digest of v0") as refused:
        store.install_base(digest="another")
    assert refused.value.value == "v0"


def test_no_id_is_given_twice(store: Store) -> None:
    """Not even when the first was never registered; policies and reward models count apart."""
    assert [store.next_id("v"), store.next_id("v"), store.next_id("r")] == ["v1", "v2", "r1"]


def test_a_promotion_moves_the_pointer_and_retires_the_version_that_was_live(store: Store) -> None:
    """Both changes are rows with actor and reason."""
    add(store, "v1")
    live = store.promote("v1", actor="ann", reason="better")
    assert (live.version, live.previous, live.epoch) == ("v1", "v0", 2)
    assert states(store) == {"v0": "retired", "v1": "live"}
    move = store.version("v1").events[-1]
    assert (move.from_state, move.to_state) == ("verified", "live")
    assert (move.actor, move.reason) == ("ann", "better")
    assert store.version("v0").events[-1].reason == "v1 took its place: better"


def test_promoting_what_is_live_changes_nothing(store: Store) -> None:
    """No new epoch, no event."""
    before = store.version("v0")
    assert store.promote("v0", actor="ann", reason="again").epoch == 1
    assert store.version("v0") == before


@pytest.mark.parametrize("state", ["retired", "rejected"])
def test_a_person_may_bring_a_version_back(store: Store, state: str) -> None:
    """One that was retired or rejected serves again, for a reason on record."""
    add(store, "v1", state=state)
    assert store.promote("v1", actor="ann", reason="it was better").version == "v1"


@pytest.mark.parametrize("state", ["failed", "trained"])
def test_what_failed_or_was_not_judged_cannot_be_promoted(store: Store, state: str) -> None:
    """The refusal names the version and its state, and everything stays as it was."""
    add(store, "v1", state=state)
    with pytest.raises(IllegalMove, match=f"v1 is {state}") as refused:
        promote(store, "v1")
    assert (refused.value.param, refused.value.value) == ("version", "v1")
    assert states(store) == {"v0": "live", "v1": state}
    assert len(store.version("v0").events) == 2


def test_a_reward_model_serves_nobody(store: Store) -> None:
    """It is listed apart from the policies, and cannot be promoted."""
    add(store, "r1", kind="reward")
    with pytest.raises(IllegalMove, match="reward model"):
        promote(store, "r1")
    assert list(states(store)) == ["v0"]
    assert [version.id for version in store.versions(reward=True)] == ["r1"]


def test_a_rollback_returns_to_the_version_before_and_rejects_the_bad_one(store: Store) -> None:
    """The reason stands with both."""
    for id in ("v1", "v2"):
        add(store, id)
    promote(store, "v1", "v2")
    live = store.rollback(actor="ann", reason="rude").live
    assert (live.version, live.previous, live.epoch) == ("v1", "v0", 4)
    assert states(store) == {"v0": "retired", "v1": "live", "v2": "rejected"}
    assert store.version("v2").events[-1].reason == "rolled back: rude"
    assert store.version("v1").events[-1].reason == "rolled back from v2: rude"


def test_a_second_rollback_goes_further_back(store: Store) -> None:
    """It does not return to the version that was just taken back."""
    for id in ("v1", "v2"):
        add(store, id)
    promote(store, "v1", "v2")
    store.rollback(actor="ann", reason="rude")
    assert store.rollback(actor="ann", reason="rude too").live.version == "v0"
    with pytest.raises(NothingToRollBack):
        store.rollback(actor="ann", reason="still")
    assert store.live().version == "v0"


def test_a_rollback_after_a_rollback_and_a_promotion_skips_what_was_taken_back(
    store: Store,
) -> None:
    """v0, v1, v2; back to v1; v3: before v3 served v1, not v2."""
    for id in ("v1", "v2", "v3"):
        add(store, id)
    promote(store, "v1", "v2")
    store.rollback(actor="ann", reason="rude")
    promote(store, "v3")
    assert store.live().previous == "v1"
    assert store.rollback(actor="ann", reason="worse").live.version == "v1"


def test_a_rollback_skips_a_version_that_was_rejected_since(store: Store) -> None:
    """v1 served before v2, but an operator has rejected it: v0 is next."""
    for id in ("v1", "v2"):
        add(store, id)
    promote(store, "v1", "v2")
    store.reject("v1", actor="ann", reason="found a fault")
    assert store.live().previous == "v0"
    assert store.rollback(actor="ann", reason="rude").live.version == "v0"


def test_a_starting_model_that_was_promoted_again_is_retired_by_a_rollback(store: Store) -> None:
    """v0 is never rejected, for there must be something to return to."""
    add(store, "v1")
    promote(store, "v1", "v0")
    assert store.rollback(actor="ann", reason="v1 was better").live.version == "v1"
    assert states(store) == {"v0": "retired", "v1": "live"}


def test_without_an_earlier_version_there_is_nothing_to_roll_back(store: Store) -> None:
    """The refusal names the version that stays."""
    with pytest.raises(NothingToRollBack) as refused:
        store.rollback(actor="ann", reason="?")
    assert refused.value.value == "v0"


def test_the_live_version_is_not_rejected(store: Store) -> None:
    """Somebody must serve: roll back or promote another first."""
    with pytest.raises(IllegalMove, match="roll back"):
        store.reject("v0", actor="ann", reason="?")
    assert store.live().version == "v0"


@pytest.mark.parametrize("state", ["trained", "verified", "retired", "rejected"])
def test_any_other_version_can_be_rejected(store: Store, state: str) -> None:
    """Again is harmless."""
    add(store, "v1", state=state)
    store.reject("v1", actor="ann", reason="worse")
    assert store.version("v1").state == "rejected"


def test_the_starting_model_stays(store: Store) -> None:
    """It can be neither rejected nor failed, even while another serves."""
    add(store, "v1")
    promote(store, "v1")
    for refuse in (store.reject, store.fail):
        with pytest.raises(IllegalMove, match="it stays"):
            refuse("v0", actor="ann", reason="?")


def test_the_gates_word_is_a_move_of_its_own(store: Store) -> None:
    """trained -> verified; a version found broken becomes failed, and stays so."""
    add(store, "v1", state="trained")
    store.verify("v1", actor="learner", reason="all checks passed")
    assert store.version("v1").events[-1].to_state == "verified"
    store.fail("v1", actor="learner", reason="a file is missing")
    for move in (store.verify, store.reject):
        with pytest.raises(IllegalMove, match="v1 is failed"):
            move("v1", actor="ann", reason="?")


def test_unknown_versions_are_named(store: Store) -> None:
    """Whatever is asked of them."""
    for ask in (
        lambda: store.version("v9"),
        lambda: store.promote("v9", actor="ann", reason="?"),
        lambda: store.reject("v9", actor="ann", reason="?"),
        lambda: store.learned_from("v9", "ann"),
    ):
        with pytest.raises(UnknownVersion, match="'v9'") as refused:
            ask()
        assert refused.value.value == "v9"


def test_the_database_itself_allows_one_live_version(store: Store, url: str) -> None:
    """A second one written behind the store's back breaks a constraint."""
    add(store, "v1")
    with pytest.raises(IntegrityError):
        execute(url, "UPDATE version SET state = 'live' WHERE id = 'v1'")


def test_registering_again_is_harmless_but_not_with_another_digest(store: Store) -> None:
    """A round that is taken over may publish what it had published."""
    add(store, "v1")
    add(store, "v1")
    assert len(store.version("v1").events) == 1
    with pytest.raises(VersionExists):
        store.register_version("v1", digest="another", parent="v0", kind="full")


def test_a_version_knows_whose_rankings_it_learned_from(store: Store) -> None:
    """Three rankings, two of them ann's; v0 learned from none."""
    ids = []
    for number, person in enumerate(["ann", "bob", "ann"]):
        store.record_generation(a_generation(f"c{number}", prompt=f"p{number}"))
        ranking = store.add_ranking(person=person, completion_id=f"c{number}", ranks=[1, 2, 3, 4])
        ids.append(ranking.id)
    round_id = store.request_round(trigger="operator", actor="ann").id
    claim = store.claim_round("learner", ttl_s=60)
    assert claim is not None
    store.use_rankings(claim, ids)
    store.register_version("v1", digest="d", parent="v0", kind="full", round_id=round_id)
    assert store.learned_from("v1", "ann") == LearnedFrom(rankings=3, yours=2)
    assert store.learned_from("v1", None) == LearnedFrom(rankings=3, yours=0)
    assert store.learned_from("v0", "ann") == LearnedFrom(rankings=0, yours=0)
    shares = [version.learned_from.yours for version in store.versions("bob")]
    assert shares == [0, 1]
    assert store.version("v1", "ann").learned_from.yours == 2
