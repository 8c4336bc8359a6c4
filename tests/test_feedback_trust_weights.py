"""feedback.trust.weights and what it stands on: who counts for less, and when."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from feedback.trust.alarm import alarm_reason, raters_reason
from feedback.trust.judgements import Judgement
from feedback.trust.settings import TrustSettings
from feedback.trust.skill import Skill, skills
from feedback.trust.weights import Weighing, weigh

DEFAULTS = TrustSettings()


def alone(person: str, count: int, first: int) -> list[Judgement]:
    """So many rankings of answers that nobody else ranks, from this id on."""
    return [
        Judgement(id, person, (f"{id}-0", f"{id}-1"), (1, 2), (1, 1))
        for id in range(first, first + count)
    ]


def shared(accuracy: Mapping[str, float], items: int = 40, seed: int = 0) -> list[Judgement]:
    """Each item's four answers are ranked by all: right, or at random with the rest of the time."""
    return list(_shared(accuracy, items, random.Random(seed)))


def _shared(accuracy: Mapping[str, float], items: int, rng: random.Random) -> Iterator[Judgement]:
    id = 0
    for item in range(items):
        true = rng.sample(range(1, 5), 4)
        for person, considered in accuracy.items():
            id += 1
            ranks = true if rng.random() < considered else rng.sample(range(1, 5), 4)
            candidates = tuple(f"{item}-{place}" for place in range(4))
            yield Judgement(id, person, candidates, tuple(ranks), (1, 1, 1, 1))


def reasons(weighing: Weighing) -> Counter[tuple[str, str]]:
    """How many rankings of whom count for less, by the reason's first word."""
    return Counter((row.person, row.reason.partition(":")[0]) for row in weighing.down)


def test_one_or_two_people_count_in_full() -> None:
    """However much one of them says."""
    said = alone("ann", 500, 0) + alone("bob", 1, 1000)
    assert weigh(said, DEFAULTS, 0) == Weighing(2)


def test_the_simulated_crowd_of_the_closed_loop_weighs_alike() -> None:
    """Twenty people in turns, each ranking answers of their own, whatever the batch: no one is
    proven and no one has more than the others.
    """
    for batch in (32, 96, 200, 640):
        said = [one for i in range(batch) for one in alone(f"p{i % 20}", 1, i)]
        assert weigh(said, DEFAULTS, 0) == Weighing(20)


def test_one_account_with_thousands_of_rankings_has_a_cap() -> None:
    """Twenty people have 20 each, so 1.5 times as many count: 30 of 2,000, at their full weight."""
    said = [one for i in range(20) for one in alone(f"p{i}", 20, 100 * i)]
    weighing = weigh(said + alone("eve", 2000, 10_000), DEFAULTS, 0)
    assert reasons(weighing) == {("eve", "cap"): 1970}
    assert {row.weight for row in weighing.down} == {0.0}


def test_what_a_cap_leaves_is_drawn_anew_in_each_round() -> None:
    """The same seed draws the same; another draws others, so that in time all are learned from."""
    said = alone("ann", 2, 0) + alone("bob", 2, 100) + alone("eve", 40, 200)
    first, again, other = (weigh(said, DEFAULTS, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len(first.down) == len(other.down) == 30


def test_who_ranks_at_random_is_left_out_and_who_is_careful_is_not() -> None:
    """Of ten people two guess; the others are right but for a tenth."""
    accuracy = {f"p{i}": 0.9 for i in range(8)} | {"eve": 0.0, "mal": 0.0}
    weighing = weigh(shared(accuracy), DEFAULTS, 0)
    assert reasons(weighing) == {("eve", "skill"): 40, ("mal", "skill"): 40}
    assert {row.weight for row in weighing.down} == {0.0}


def test_who_is_half_careless_weighs_less_in_proportion() -> None:
    """A considered half is right and the rest is chance: 2q - 1 is .5, usual is .9: .56, as far as
    40 rankings tell.
    """
    accuracy = {f"p{i}": 0.9 for i in range(8)} | {"eve": 0.5}
    weighing = weigh(shared(accuracy, seed=1), DEFAULTS, 0)
    assert reasons(weighing) == {("eve", "skill"): 40}
    assert weighing.down[0].weight == pytest.approx(0.56, abs=0.15)


def test_newcomers_weigh_half_once_three_are_proven() -> None:
    """Nobody else has ranked what eve ranks."""
    said = shared({"ann": 1.0, "bob": 1.0, "ivy": 1.0}, items=8) + alone("eve", 3, 1000)
    weighing = weigh(said, DEFAULTS, 0)
    assert [(row.person, row.weight) for row in weighing.down] == [("eve", 0.5)] * 3
    assert weighing.down[0].reason == "newcomer: 0 of 8 rankings that can be checked"
    assert weigh(said[3:], DEFAULTS, 0).down == ()  # seven each: nobody is proven


def test_a_newcomer_has_half_of_the_least_cap() -> None:
    """Five of twenty rankings, at half of their weight."""
    said = shared({"ann": 1.0, "bob": 1.0, "ivy": 1.0}, items=8) + alone("eve", 20, 1000)
    weighing = weigh(said, DEFAULTS, 0)
    assert reasons(weighing) == {("eve", "cap"): 15, ("eve", "newcomer"): 5}
    assert sum(row.weight for row in weighing.down) == 2.5


def test_a_newcomer_may_weigh_as_much_as_others() -> None:
    """Where that is set; the cap stays: ten of twenty."""
    said = shared({"ann": 1.0, "bob": 1.0, "ivy": 1.0}, items=8) + alone("eve", 20, 1000)
    weighing = weigh(said, TrustSettings(newcomer=1.0), 0)
    assert reasons(weighing) == {("eve", "cap"): 10}


def test_a_newcomer_who_errs_is_left_out() -> None:
    """Seven rankings of gold, all wrong: the reason is the skill."""
    said = shared({"ann": 1.0, "bob": 1.0, "ivy": 1.0}, items=9)
    wrong = [
        Judgement(id, "eve", ("x", f"y{id}"), (2, 1), (1, 1), gold=(1, 2)) for id in range(500, 507)
    ]
    weighing = weigh(said + wrong, DEFAULTS, 0)
    assert reasons(weighing) == {("eve", "skill"): 7}
    assert {row.weight for row in weighing.down} == {0.0}


def test_gold_proves_too() -> None:
    """Nine rankings of gold, all right: nobody has to agree."""
    said = shared({"ann": 1.0, "bob": 1.0, "ivy": 1.0}, items=9)
    gold = [
        Judgement(id, "eve", ("x", f"y{id}"), (1, 2), (1, 1), gold=(1, 2)) for id in range(500, 509)
    ]
    assert weigh(said + gold, DEFAULTS, 0).down == ()


def test_the_exempt_count_in_full() -> None:
    """The owner has ranked more than all others."""
    said = alone("ann", 2, 0) + alone("bob", 2, 100) + alone("eve", 40, 200)
    assert weigh(said, TrustSettings(exempt=("eve",)), 0).down == ()


def test_an_honest_crowd_is_not_held_against_itself() -> None:
    """Forty people of whom any two share an item now and then, and never a third: of people who are
    right but for a tenth chance may fault one or two.
    """
    rng, said = random.Random(0), []
    for item in range(400):
        pair = {f"p{i}": 0.9 for i in rng.sample(range(40), 2)}
        said += [
            replace(one, ranking_id=2 * item + i, candidates=tuple(f"{item}/{c}" for c in "abcd"))
            for i, one in enumerate(_shared(pair, 1, rng))
        ]
    weighing = weigh(said, TrustSettings(cap=1000, proven=1), 0)
    assert len({row.person for row in weighing.down}) <= 2


def test_skill_counts_a_ranking_of_four_as_three_comparisons() -> None:
    """Two people who say the same of four answers are right, as far as anybody knows."""
    found = skills(shared({"ann": 1.0, "bob": 1.0}, items=5))
    assert found["ann"].evidence == pytest.approx(15)
    assert found["ann"].rankings == 5
    assert found["ann"].value == pytest.approx(1.0)


def test_the_upper_end_of_a_skill_is_wilsons() -> None:
    """8 of 10: (.8 + .45 + 3 sqrt(.016 + .0225)) / 1.9 = .968; nothing known: 1."""
    assert Skill(8.0, 10.0, 5).high == pytest.approx(0.968, abs=1e-3)
    assert Skill(0.0, 0.0, 0).high == 1.0


def test_an_alarm_is_raised_by_a_jump_alone() -> None:
    """.4 after .4 is none; after .1 and .2 (mean .15) it is more than .1 above."""
    assert alarm_reason(4, 10, [0.4, 0.4], DEFAULTS) is None
    alarm = alarm_reason(4, 10, [0.1, 0.2], DEFAULTS)
    assert alarm is not None
    assert (alarm.check, alarm.passed, alarm.value) == ("exclusions", False, 0.4)
    assert alarm.limit == pytest.approx(0.25)
    assert alarm_reason(0, 0, [], DEFAULTS) is None


def test_a_round_says_from_how_many_on_weights_act() -> None:
    """Two people: in full; three: how much was left out."""
    assert "in full: caps and trust act from 3" in raters_reason(2, 0, 0, DEFAULTS).text
    told = raters_reason(3, 5, 2, DEFAULTS).text
    assert told == "3 people ranked. Left out: 5 rankings; counted for less: 2."
