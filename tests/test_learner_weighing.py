"""What rankings weigh in a round, from the record to the reason."""

from __future__ import annotations

from collections import Counter

import pytest

from feedback.preferences import RankedPrompt
from feedback.records import Claim
from feedback.store import Store
from feedback.trust.settings import TrustSettings
from learner.sieve import Sieve
from learner.weighing import of_raters, weighed
from tests.exchanged import brought
from tests.feedback_databases import a_generation
from tests.test_feedback_training import claim

SETTINGS = TrustSettings(cap=2)


def weighed_by(
    store: Store, claim: Claim, settings: TrustSettings = SETTINGS
) -> list[RankedPrompt]:
    """Whatever the rankings say of people."""
    return weighed(store, claim, settings, Sieve(store, claim, allowed=True))


@pytest.fixture
def crowd(store: Store) -> Claim:
    """Ann and bob have ranked twice each, eve six times; a round is claimed."""
    for number, person in enumerate("ann ann bob bob eve eve eve eve eve eve".split()):
        store.record_generation(a_generation(f"c{number}", prompt=f"{number}", n=2))
        store.add_ranking(person=person, completion_id=f"c{number}", ranks=[1, 2])
    return claim(store)


def test_what_is_left_out_is_on_record_and_not_learned_from(store: Store, crowd: Claim) -> None:
    """Of eve's six rankings (the median person has 2, so 1.5 times that) three are left."""
    found = weighed_by(store, crowd)
    assert [ranked.person for ranked in found].count("eve") == 3
    assert len(found) == 7
    inputs = store.round_inputs(crowd.round_id)
    out = [info for info in inputs if not info.weight]
    assert [(info.person, info.reason) for info in out] == [
        ("eve", "cap: 6 rankings, of one person 3 count")
    ] * 3


def test_what_was_imported_is_no_one_persons(store: Store, crowd: Claim) -> None:
    """Twenty pairs that ann brought from a file count in full, beside her own."""
    rows = [{"prompt": f"Q{n}", "chosen": "yes", "rejected": "no"} for n in range(20)]
    assert brought(store, "trl-preference", rows, "ann").imported == 20
    found = weighed_by(store, crowd)
    assert Counter(one.person for one in found) == {"ann": 22, "bob": 2, "eve": 3}


def test_rankings_by_a_criterion_have_a_cap_of_their_own(store: Store, crowd: Claim) -> None:
    """Eve ranked six more by honesty, of which a cap of 2 leaves two; of what she said of the whole
    three are left as without them, and by helpfulness, which is not asked for, nothing is.
    """
    for number in range(6):
        for criterion in ("honest", "helpful"):
            id = f"c{number + 4}"
            store.add_ranking(person="eve", completion_id=id, ranks=[1, 2], criterion=criterion)
    sieve = Sieve(store, crowd, allowed=True)
    found = weighed(store, crowd, SETTINGS, sieve, ["honest"])
    said = [one.criterion for one in found if one.person == "eve"]
    assert (said.count("honest"), said.count(None), len(said)) == (2, 3, 5)
    assert store.used_rankings(crowd.round_id) == found


def test_whoever_goes_on_reads_the_weights(store: Store, crowd: Claim) -> None:
    """With other settings and other rankings by then; and a repeat has them too."""
    found = weighed_by(store, crowd)
    store.record_generation(a_generation("later", prompt="later", n=2))
    store.add_ranking(person="ivy", completion_id="later", ranks=[1, 2])
    assert weighed_by(store, crowd, TrustSettings(exempt=("eve",))) == found
    store.finish_round(crowd, outcome="needs_feedback")
    again = store.repeat_round(crowd.round_id, without=["bob"], actor="ann")
    assert store.used_rankings(again.id) == [r for r in found if r.person != "bob"]
    assert [info.reason for info in store.round_inputs(again.id)].count(None) == 5


def test_a_repeat_of_what_was_taken_back_learns_from_nothing(store: Store, crowd: Claim) -> None:
    """Everybody takes back before it begins: it does not turn to what others said since."""
    weighed_by(store, crowd)
    store.finish_round(crowd, outcome="needs_feedback")
    store.repeat_round(crowd.round_id, actor="ann")
    for person in ("ann", "bob", "eve"):
        store.erase(person)
    store.record_generation(a_generation("later", prompt="later", person="ivy", n=2))
    store.add_ranking(person="ivy", completion_id="later", ranks=[1, 2])
    again = store.claim_round("learner", 60)
    assert again is not None
    assert weighed_by(store, again) == []


def test_what_was_left_out_is_neither_used_nor_new(store: Store, crowd: Claim) -> None:
    """Between rounds the reward model's heads learn nothing from it."""
    found = weighed_by(store, crowd)
    store.register_version(
        "r1", digest="d", parent="v0", kind="reward", round_id=crowd.round_id, claim=crowd
    )
    assert store.rankings_by_use("r1") == ([r.ranking_id for r in found], [])


def test_a_round_says_what_was_left_out_and_that_it_is_more_than_before(
    store: Store, crowd: Claim
) -> None:
    """Three of ten, after a round without any: an alarm. The next round's share is no jump."""
    weighed_by(store, crowd)
    raters, alarm = of_raters(store, crowd.round_id, SETTINGS)
    assert raters.text == "3 people ranked. Left out: 3 rankings; counted for less: 0."
    assert (alarm.check, alarm.passed, alarm.value) == ("exclusions", False, 0.3)
    store.finish_round(crowd, outcome="needs_feedback", reasons=[raters, alarm])
    assert store.alarm() == alarm.text
    assert store.round(crowd.round_id).distrusted == 3
    after = claim(store)
    weighed_by(store, after)
    calm = [*of_raters(store, after.round_id, SETTINGS)]
    assert [reason.check for reason in calm] == ["raters"]
    store.finish_round(after, outcome="needs_feedback", reasons=calm)
    assert store.alarm() is None


def test_two_people_count_in_full(store: Store) -> None:
    """However unlike: nothing is written but the rankings."""
    for number, person in enumerate(["ann"] * 12 + ["bob"]):
        store.record_generation(a_generation(f"c{number}", prompt=f"{number}", n=2))
        store.add_ranking(person=person, completion_id=f"c{number}", ranks=[1, 2])
    held = claim(store)
    assert weighed_by(store, held) == store.training_rankings()
    [raters] = of_raters(store, held.round_id, SETTINGS)
    assert raters.text.startswith("2 people's rankings count in full")
