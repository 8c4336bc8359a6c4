"""feedback.trials and what begins and ends one, through the store, on both databases."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from feedback.duels import outcome, tally
from feedback.errors import IllegalMove, UnknownVersion
from feedback.preferences import Answer, RankedPrompt
from feedback.sequential import Tally
from feedback.store import Store
from feedback.trials import Terms
from tests.feedback_databases import a_generation

TERMS = Terms(error=0.05, least=4, promotes=True)
BY_PEOPLE = Terms(error=0.05, least=4, promotes=False)
SURE = 12
"""Wins of as many that decide: .5^12 against them."""


@pytest.fixture(autouse=True)
def _versions(store: Store) -> None:
    store.install_base(digest="digest of v0")
    for id in ("v1", "v2"):
        store.register_version(id, digest=id, parent="v0", kind="full", state="verified")


def begin(store: Store, id: str = "v1") -> None:
    store.begin_canary(id, actor="ann", reason="looks good")


def compare(store: Store, prompt: str, ranks: Sequence[int], person: str = "bob") -> int:
    """Two answers of v1 and two of v0 to a prompt, ranked in this order."""
    for version in ("v1", "v0"):
        record = a_generation(f"{version} {prompt}", prompt=prompt, version=version, n=2)
        store.record_generation(record)
    ids = [f"{version} {prompt}-{index}" for version in ("v1", "v0") for index in (0, 1)]
    return store.add_ranking(person=person, candidates=ids, ranks=ranks).id


def state(store: Store, id: str) -> str:
    return store.version(id).state


def ranked(*ranks: tuple[str, int | None], prompt: str = "p") -> RankedPrompt:
    """A ranking of answers by version."""
    answers = tuple(Answer(f"{i}", "", (), version) for i, (version, _) in enumerate(ranks))
    given = tuple(rank for _, rank in ranks)
    return RankedPrompt(1, "c", "bob", "train", (("user", prompt),), (), answers, given)


def test_a_ranking_is_one_outcome_whatever_its_answers() -> None:
    """v1 with ranks 1 and 3 against 2 and 4: of four pairs three are won, one is lost."""
    assert outcome(ranked(("v1", 1), ("v1", 3), ("v0", 2), ("v0", 4)), "v1", "v0") == 1
    assert outcome(ranked(("v1", 1), ("v0", 1)), "v1", "v0") == 0
    assert outcome(ranked(("v1", 1), ("v0", None)), "v1", "v0") is None


def test_a_prompt_counts_once() -> None:
    """By whoever ranked it first: others who say the same of it are no further evidence."""
    won, lost = ranked(("v1", 1), ("v0", 2)), ranked(("v1", 2), ("v0", 1))
    other = ranked(("v1", 2), ("v0", 1), prompt="another")
    assert tally([won, lost, lost, other], "v1", "v0") == Tally(1, 1, 0)


def test_a_trial_is_seen_with_the_live_pointer(store: Store) -> None:
    """What serves stays; beside it stands who is tried, and on how many of the people."""
    store.begin_canary("v1", share=0.2, actor="ann", reason="looks good")
    live = store.live()
    assert (live.version, live.canary, live.share) == ("v0", "v1", 0.2)
    assert store.version("v1").events[-1].reason == "looks good"


def test_one_version_is_tried_at_a_time(store: Store) -> None:
    """The refusal names both."""
    begin(store)
    with pytest.raises(IllegalMove, match="v2 is verified and cannot become canary: v1 is canary"):
        begin(store, "v2")


def test_what_serves_already_is_not_tried(store: Store) -> None:
    """Nor what is unknown."""
    with pytest.raises(IllegalMove, match="v0 is live and cannot become canary"):
        begin(store, "v0")
    with pytest.raises(UnknownVersion):
        begin(store, "v9")


def test_a_worse_canary_is_rejected_by_itself_with_the_evidence(store: Store) -> None:
    """Twelve losses of twelve rule one half out; in any mode that ends the trial."""
    begin(store)
    for number in range(SURE):
        compare(store, f"p{number}", [3, 4, 1, 2])
    trial = store.decide_trial(BY_PEOPLE)
    assert trial is not None
    assert trial.tally == Tally(0, SURE, 0)
    assert state(store, "v1") == "rejected"
    last = store.version("v1").events[-1]
    assert last.actor == "canary"
    assert last.evidence is not None
    assert (last.evidence["against"], last.evidence["losses"]) == ("v0", SURE)
    assert store.live().canary is None
    assert store.trial(TERMS) is None


def test_a_better_canary_is_promoted_where_that_is_wanted(store: Store) -> None:
    """In mode canary; elsewhere it stays on trial, and is seen to be better."""
    begin(store)
    for number in range(SURE):
        compare(store, f"p{number}", [1, 2, 3, 4])
    assert store.decide_trial(BY_PEOPLE) is None
    trial = store.trial(BY_PEOPLE)
    assert trial is not None
    assert trial.better is True
    assert store.decide_trial(TERMS) is not None
    live = store.live()
    assert (live.version, live.pinned_by, live.canary) == ("v1", None, None)


def test_a_canary_never_takes_the_place_of_what_a_person_pinned(store: Store) -> None:
    """A person's promotion pins; once they let go of it the canary goes live."""
    store.promote("v2", actor="ann", reason="I want this one")
    assert store.live().pinned_by == "ann"
    begin(store)
    for number in range(SURE):
        for version in ("v1", "v2"):
            store.record_generation(
                a_generation(f"{version} {number}", prompt=f"{number}", version=version, n=1)
            )
        ids = [f"v1 {number}-0", f"v2 {number}-0"]
        store.add_ranking(person="bob", candidates=ids, ranks=[1, 2])
    assert store.decide_trial(TERMS) is None
    assert store.live().version == "v2"
    store.pin("v2", pinned=False, actor="ann", reason="let it go on")
    assert store.version("v2").events[-1].reason == "no longer pinned: let it go on"
    assert store.decide_trial(TERMS) is not None
    assert store.live().version == "v1"


def test_only_the_live_version_is_pinned(store: Store) -> None:
    """Any other has no place to be held in."""
    with pytest.raises(IllegalMove, match="v1 is verified"):
        store.pin("v1", pinned=True, actor="ann", reason="?")
    store.pin("v0", pinned=True, actor="ann", reason="no experiments today")
    assert store.live().pinned_by == "ann"


def test_rankings_of_before_are_no_evidence(store: Store) -> None:
    """A trial starts from nothing."""
    compare(store, "early", [1, 2, 3, 4])
    begin(store)
    compare(store, "late", [1, 1, 1, 1])
    trial = store.trial(TERMS)
    assert trial is not None
    assert trial.tally == Tally(0, 0, 1)


def test_another_live_version_ends_the_trial(store: Store) -> None:
    """It was against the one before; the canary is verified again and may be tried anew."""
    begin(store)
    store.promote("v2", actor="ann", reason="this one")
    assert state(store, "v1") == "verified"
    assert store.version("v1").events[-1].reason == ("v2 is live now, and the trial was against v0")
    begin(store)
    assert store.live().canary == "v1"


def test_stops_and_thumbs_are_told_beside(store: Store) -> None:
    """Of the answers since the trial began; they decide nothing."""
    begin(store)
    began = store.trial(TERMS)
    assert began is not None
    record = a_generation("c1", version="v1", at=began.began_at + 1)
    store.record_generation(record)
    store.add_marks(person="bob", candidate="c1-0", values={"thumb": 0.0})
    store.record_stops(["v1"])
    trial = store.trial(TERMS)
    assert trial is not None
    beside = trial.beside["v1"]
    assert (beside.answers, beside.stopped) == (1, 1)
    assert (beside.thumbs_up, beside.thumbs_down) == (0, 1)
    assert trial.beside["v0"].answers == 0


def test_a_new_trial_has_something_new_to_look_at_with_every_ranking(store: Store) -> None:
    """Without a trial there is nothing to look at."""
    assert store.trial_mark() is None
    begin(store)
    first = store.trial_mark()
    compare(store, "p", [1, 2, 3, 4])
    assert store.trial_mark() not in (None, first)
